# troupe_options: how the project's own code is compiled. Modules, tests and examples link it privately.
add_library(troupe_options INTERFACE)
set_target_properties(troupe_options PROPERTIES EXPORT_NAME options)
target_compile_features(troupe_options INTERFACE cxx_std_20)
set(CMAKE_CXX_EXTENSIONS OFF)
target_compile_options(troupe_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC makes coroutine resumption a tail call only with this flag; without it -O0 overflows the stack.
  target_compile_options(troupe_options INTERFACE $<$<CONFIG:Debug>:-foptimize-sibling-calls>)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 sees overlapping copies in "text" + std::string() that are not there (its bug 105329). At -O3 it imagines
    # more of the kind (array-bounds, maybe-uninitialized), hence -O2 in the presets, where warnings are errors.
    target_compile_options(troupe_options INTERFACE -Wno-restrict)
  endif()
endif()

set(TROUPE_SANITIZE "" CACHE STRING "Sanitizers: address (ASan and UBSan), thread (TSan), or empty")
set_property(CACHE TROUPE_SANITIZE PROPERTY STRINGS "" address thread)
if(TROUPE_SANITIZE STREQUAL "address")
  # The vptr check opens descriptors, so it reports every virtual call of a test that has used them all up.
  set(sanitizers -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
elseif(TROUPE_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
elseif(TROUPE_SANITIZE)
  message(FATAL_ERROR "TROUPE_SANITIZE=${TROUPE_SANITIZE} is unknown: use address or thread")
endif()
if(TROUPE_SANITIZE)
  target_compile_options(troupe_options INTERFACE ${sanitizers} -fno-omit-frame-pointer)
  target_link_options(troupe_options INTERFACE ${sanitizers})
endif()

find_program(CCACHE ccache)
mark_as_advanced(CCACHE)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers are cached only if it may take their times and macros for granted.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
