# Compiles SOURCE with COMPILER and FLAGS, syntax only, and compares the outcome with its first line.
file(READ ${SOURCE} text)
if(NOT text MATCHES "^// expect: ([^\n]+)\n")
  message(FATAL_ERROR "${SOURCE}: the first line must be `// expect: REGEX` or `// expect: ok`")
endif()
set(expected "${CMAKE_MATCH_1}")

separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
set(ENV{LC_ALL} C)
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Werror=unused-result -Werror=unused-value ${FLAGS} ${SOURCE}
                RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(REGEX MATCH "[^\n]*error: [^\n]*" first_error "${output}")

if(expected STREQUAL "ok")
  if(NOT exit_code EQUAL 0)
    message(FATAL_ERROR "${SOURCE} must compile, but did not:\n${output}")
  endif()
elseif(exit_code EQUAL 0)
  message(FATAL_ERROR "${SOURCE} must not compile, but did")
elseif(NOT first_error MATCHES "${expected}")
  message(FATAL_ERROR "${SOURCE}: the first error line does not match\n  ${expected}\nbut is\n  ${first_error}")
endif()
message(STATUS "${expected}: ${first_error}")
