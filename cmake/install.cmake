# SPDX-License-Identifier: MIT
# Installs the headers, the CMake package `pixelrnn` (component io) and two pkg-config files.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_DATADIR}/cmake/pixelrnn)

install(TARGETS pixelrnn EXPORT pixelrnnTargets FILE_SET HEADERS)
install(EXPORT pixelrnnTargets NAMESPACE pixelrnn:: DESTINATION ${package})
set(pc_files pixelrnn.pc)
if(TARGET pixelrnn_io)
  install(TARGETS pixelrnn_io EXPORT pixelrnnIoTargets FILE_SET HEADERS)
  install(EXPORT pixelrnnIoTargets NAMESPACE pixelrnn:: DESTINATION ${package})
  list(APPEND pc_files pixelrnn-io.pc)
endif()

configure_package_config_file(
  cmake/pixelrnnConfig.cmake.in ${PROJECT_BINARY_DIR}/pixelrnnConfig.cmake
  INSTALL_DESTINATION ${package} NO_SET_AND_CHECK_MACRO)
# Before 1.0 every minor version may change the interface. Headers fit every architecture.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/pixelrnnConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES ${PROJECT_BINARY_DIR}/pixelrnnConfig.cmake
        ${PROJECT_BINARY_DIR}/pixelrnnConfigVersion.cmake
        cmake/pixelrnn-eigen.cmake
        cmake/pixelrnn-xsimd.cmake
        cmake/pixelrnn-io.cmake
        cmake/pixelrnn-optimisation.cmake
  DESTINATION ${package})

# The .pc files find their prefix from where they are, so an installed tree can be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_DATADIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE data)
string(REGEX REPLACE "[^/]+" ".." up ${data}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE include)
foreach(file IN LISTS pc_files)
  configure_file(cmake/${file}.in ${PROJECT_BINARY_DIR}/${file} @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
endforeach()
