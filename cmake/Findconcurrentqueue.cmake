# troupe::concurrentqueue: moodycamel's queue under the one spelling <concurrentqueue/concurrentqueue.h>, wherever
# the system keeps it (Debian: concurrentqueue/; upstream and vcpkg: concurrentqueue/moodycamel/ or moodycamel/).
find_path(CONCURRENTQUEUE_DIR concurrentqueue.h
          PATH_SUFFIXES concurrentqueue concurrentqueue/moodycamel moodycamel)
mark_as_advanced(CONCURRENTQUEUE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(concurrentqueue REQUIRED_VARS CONCURRENTQUEUE_DIR)

if(concurrentqueue_FOUND AND NOT TARGET troupe::concurrentqueue)
  cmake_path(GET CONCURRENTQUEUE_DIR FILENAME folder)
  cmake_path(GET CONCURRENTQUEUE_DIR PARENT_PATH include_dir)
  if(NOT folder STREQUAL "concurrentqueue")
    set(include_dir ${CMAKE_CURRENT_BINARY_DIR}/forwarding)
    file(WRITE ${include_dir}/concurrentqueue/concurrentqueue.h
         "#include \"${CONCURRENTQUEUE_DIR}/concurrentqueue.h\"  // IWYU pragma: export\n")
  endif()
  add_library(troupe::concurrentqueue INTERFACE IMPORTED)
  target_include_directories(troupe::concurrentqueue INTERFACE ${include_dir})
endif()
