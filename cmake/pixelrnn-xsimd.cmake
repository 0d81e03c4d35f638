# SPDX-License-Identifier: MIT
# Defines pixelrnn::xsimd if xsimd 8.1 or later is here; says why not in pixelrnn_xsimd_missing.
#
# Why a target of our own: that of Debian's xsimd 8.1 links a library xtl that nobody found
# ("cannot find -lxtl"), and its name has changed between releases. All we need are its headers. No
# version is passed to find_package, because each major release of xsimd refuses every other.
# Installed beside pixelrnnConfig.cmake, and used by it.
set(pixelrnn_xsimd_missing "")
if(TARGET pixelrnn::xsimd)
  return()
endif()
if(NOT TARGET xsimd)
  find_package(xsimd CONFIG QUIET)
endif()
if(NOT TARGET xsimd)
  set(pixelrnn_xsimd_missing "xsimd 8.1 or later (Debian, Ubuntu: libxsimd-dev)")
elseif(xsimd_VERSION AND xsimd_VERSION VERSION_LESS 8.1)
  set(pixelrnn_xsimd_missing "xsimd 8.1 or later (found ${xsimd_VERSION})")
else()
  get_target_property(pixelrnn_xsimd_headers xsimd INTERFACE_INCLUDE_DIRECTORIES)
  add_library(pixelrnn::xsimd INTERFACE IMPORTED GLOBAL)
  target_include_directories(pixelrnn::xsimd SYSTEM INTERFACE ${pixelrnn_xsimd_headers})
endif()
