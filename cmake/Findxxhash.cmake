# troupe::xxhash: the xxHash header; users define XXH_INLINE_ALL, so there is nothing to link.
find_path(XXHASH_INCLUDE_DIR xxhash.h)
mark_as_advanced(XXHASH_INCLUDE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(xxhash REQUIRED_VARS XXHASH_INCLUDE_DIR)

if(xxhash_FOUND AND NOT TARGET troupe::xxhash)
  add_library(troupe::xxhash INTERFACE IMPORTED)
  target_include_directories(troupe::xxhash INTERFACE ${XXHASH_INCLUDE_DIR})
endif()
