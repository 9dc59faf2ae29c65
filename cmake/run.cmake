# run(COMMAND...): for test scripts; shows the output, and ends the script when the command fails.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT exit_code EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed: ${command}")
  endif()
endfunction()
