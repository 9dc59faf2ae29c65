# Copies MODULES of ROOT to WORK, configures them there with COMPILER, and preprocesses MODULE's files: each header
# that they include is there.
include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/run.cmake)

file(REMOVE_RECURSE ${WORK})
string(REPLACE "," ";" modules ${MODULES})
foreach(part CMakeLists.txt cmake ${modules})
  file(COPY ${ROOT}/${part} DESTINATION ${WORK})
endforeach()

# One more source includes every header of the module; the glob of its CMakeLists.txt picks it up.
set(text "")
file(GLOB_RECURSE headers RELATIVE ${WORK}/${MODULE} ${WORK}/${MODULE}/*.hpp)
foreach(header ${headers})
  string(APPEND text "#include <${header}>\n")
endforeach()
file(WRITE ${WORK}/${MODULE}/all_headers.cpp "${text}")

run(${CMAKE_COMMAND} -S ${WORK} -B ${WORK}/build -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${COMPILER}
    -D CMAKE_BUILD_TYPE=Debug -D CMAKE_EXPORT_COMPILE_COMMANDS=ON)

file(READ ${WORK}/build/compile_commands.json commands)
string(JSON count LENGTH "${commands}")
math(EXPR last "${count} - 1")
set(checked 0)
foreach(index RANGE ${last})
  string(JSON source GET "${commands}" ${index} file)
  if(source MATCHES "^${WORK}/${MODULE}/")
    string(JSON command GET "${commands}" ${index} command)
    string(REGEX REPLACE " -o .* -c " " -M -MF ${WORK}/build/includes " command "${command}")
    separate_arguments(command UNIX_COMMAND "${command}")
    run(${command})
    math(EXPR checked "${checked} + 1")
  endif()
endforeach()
message(STATUS "${MODULE}: ${checked} sources find what they include without the folders above")
