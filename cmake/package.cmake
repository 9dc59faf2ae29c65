# cmake --install: libraries, the headers under <module>/troupe/, and the package for find_package(troupe).
include(CMakePackageConfigHelpers)

set(targets troupe_options)
foreach(module runtime transport actors troupe)
  if(TARGET troupe_${module})
    list(APPEND targets troupe_${module})
  endif()
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${module}/troupe)
    install(DIRECTORY ${module}/troupe DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp)
  endif()
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/troupe)
install(TARGETS ${targets} EXPORT troupe-targets)
install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION ${package_dir})
configure_package_config_file(cmake/troupe-config.cmake.in troupe-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(troupe-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/troupe-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/troupe-config-version.cmake
        DESTINATION ${package_dir})
