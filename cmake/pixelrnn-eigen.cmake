# SPDX-License-Identifier: MIT
# Finds Eigen3::Eigen of Eigen 3.4 or later; says why not in pixelrnn_eigen_missing.
#
# No version is passed to find_package, because Eigen 5 refuses "3.4" and Eigen 3 refuses "5".
# Installed beside pixelrnnConfig.cmake, and used by it.
set(pixelrnn_eigen_missing "")
if(TARGET Eigen3::Eigen)
  return()
endif()
find_package(Eigen3 CONFIG QUIET)
if(NOT TARGET Eigen3::Eigen)
  set(pixelrnn_eigen_missing "Eigen 3.4 or later (Debian, Ubuntu: libeigen3-dev)")
elseif(Eigen3_VERSION AND Eigen3_VERSION VERSION_LESS 3.4)
  set(pixelrnn_eigen_missing "Eigen 3.4 or later (found ${Eigen3_VERSION})")
endif()
