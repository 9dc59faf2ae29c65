# Compiles SOURCE with COMPILER and runs it; compares what it says with its first line if the compiler is AFFECTED,
# else with `right`.
file(READ ${SOURCE} text)
if(NOT text MATCHES "^// gcc12: ([^\n]+)\n")
  message(FATAL_ERROR "${SOURCE}: the first line must be `// gcc12: OUTCOME`")
endif()
set(expected "right")
if(AFFECTED)
  set(expected "${CMAKE_MATCH_1}")
endif()

set(ENV{LC_ALL} C)
execute_process(COMMAND ${COMPILER} -std=c++20 -w ${SOURCE} -o ${PROGRAM}
                RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE output)
set(outcome "does not compile")
if(exit_code EQUAL 0)
  execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE exit_code OUTPUT_VARIABLE outcome ERROR_VARIABLE output
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT outcome STREQUAL expected)
  message(FATAL_ERROR "${SOURCE}: expected `${expected}`, but it is `${outcome}` (${exit_code})\n${output}")
endif()
message(STATUS "${outcome}")
