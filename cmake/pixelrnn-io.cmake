# SPDX-License-Identifier: MIT
# Finds what pixelrnn::io links: pixelrnn_io_libraries, or what is not here: pixelrnn_io_missing.
# Installed beside pixelrnnConfig.cmake, and used by it.
find_package(ZLIB QUIET)
find_package(PNG QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json CONFIG QUIET)
endif()

set(pixelrnn_io_libraries ZLIB::ZLIB PNG::PNG nlohmann_json::nlohmann_json)
set(pixelrnn_io_packages zlib1g-dev libpng-dev nlohmann-json3-dev)
set(pixelrnn_io_missing "")
foreach(library package IN ZIP_LISTS pixelrnn_io_libraries pixelrnn_io_packages)
  if(NOT TARGET ${library})
    list(APPEND pixelrnn_io_missing "${library} (Debian, Ubuntu: ${package})")
  endif()
endforeach()
list(JOIN pixelrnn_io_missing ", " pixelrnn_io_missing)
