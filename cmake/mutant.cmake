# troupe_mutant(NAME drop_message SOURCES FILE... TESTS PATTERN MESSAGE REGEX)
#
# Builds the modules again with the planted fault TROUPE_MUTANT_<NAME>, links the given test sources to them, and
# registers the test mutant.NAME. It passes only if the Catch2 cases that match PATTERN fail on the mutant with a
# message that matches REGEX: proof that the tests can find the fault.
function(troupe_mutant)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TESTS;MESSAGE" "SOURCES")
  string(TOUPPER ${arg_NAME} define)
  set(target troupe_mutant_${arg_NAME})

  add_executable(${target} ${arg_SOURCES} $<TARGET_OBJECTS:troupe_test_main>)
  foreach(module runtime transport actors)
    get_target_property(sources troupe_${module} SOURCES)
    target_sources(${target} PRIVATE ${sources})
    # The libraries of the module, itself included, for their headers: every symbol that the executable already
    # defines is taken from there, so no object of the archive without the fault is linked.
    get_target_property(libraries troupe_${module} LINK_LIBRARIES)
    target_link_libraries(${target} PRIVATE ${libraries} troupe_${module})
  endforeach()
  target_compile_definitions(${target} PRIVATE TROUPE_MUTANT_${define})
  target_link_libraries(${target} PRIVATE troupe_test_options)

  add_test(NAME mutant.${arg_NAME}
    COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${target}> -D TESTS=${arg_TESTS} -D MESSAGE=${arg_MESSAGE}
            -P ${PROJECT_SOURCE_DIR}/cmake/run_mutant.cmake)
  set_tests_properties(mutant.${arg_NAME} PROPERTIES TIMEOUT 120)
endfunction()
