# Runs PROGRAM on TESTS and passes only if they fail with a message that matches MESSAGE.
execute_process(COMMAND ${PROGRAM} ${TESTS} RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(exit_code EQUAL 0)
  message(FATAL_ERROR "the fault went unnoticed by ${TESTS}:\n${output}")
elseif(NOT output MATCHES "${MESSAGE}")
  message(FATAL_ERROR "${TESTS} failed, but not with a message that matches ${MESSAGE}:\n${output}")
endif()
message(STATUS "found: ${CMAKE_MATCH_0}")
