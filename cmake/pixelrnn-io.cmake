# SPDX-License-Identifier: MIT
# Finds what pixelrnn::io links: pixelrnn_io_libraries, or what is not here: pixelrnn_io_missing.
# Installed beside pixelrnnConfig.cmake, and used by it.
find_package(ZLIB QUIET)
find_package(PNG QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json CONFIG QUIET)
endif()

# pixelrnn_find_by_header(TARGET HEADER LIBRARY): what comes without CMake files, or, as Debian's
# libzip, with files that ask for programs of other packages.
macro(pixelrnn_find_by_header target header library)
  string(TOUPPER PIXELRNN_${library} pixelrnn_prefix)
  find_path(${pixelrnn_prefix}_INCLUDE ${header})
  find_library(${pixelrnn_prefix}_LIBRARY ${library})
  mark_as_advanced(${pixelrnn_prefix}_INCLUDE ${pixelrnn_prefix}_LIBRARY)
  if(${pixelrnn_prefix}_INCLUDE AND ${pixelrnn_prefix}_LIBRARY)
    add_library(${target} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${${pixelrnn_prefix}_LIBRARY}"
                                               INTERFACE_INCLUDE_DIRECTORIES "${${pixelrnn_prefix}_INCLUDE}")
  endif()
endmacro()
if(NOT TARGET SndFile::sndfile)
  find_package(SndFile CONFIG QUIET)
endif()
if(NOT TARGET SndFile::sndfile AND NOT CMAKE_DISABLE_FIND_PACKAGE_SndFile)
  pixelrnn_find_by_header(SndFile::sndfile sndfile.h sndfile)
endif()
if(NOT TARGET libzip::zip AND NOT CMAKE_DISABLE_FIND_PACKAGE_libzip)
  pixelrnn_find_by_header(libzip::zip zip.h zip)
endif()

set(pixelrnn_io_libraries ZLIB::ZLIB PNG::PNG SndFile::sndfile libzip::zip
                          nlohmann_json::nlohmann_json)
set(pixelrnn_io_packages zlib1g-dev libpng-dev libsndfile1-dev libzip-dev nlohmann-json3-dev)
set(pixelrnn_io_missing "")
foreach(library package IN ZIP_LISTS pixelrnn_io_libraries pixelrnn_io_packages)
  if(NOT TARGET ${library})
    list(APPEND pixelrnn_io_missing "${library} (Debian, Ubuntu: ${package})")
  endif()
endforeach()
list(JOIN pixelrnn_io_missing ", " pixelrnn_io_missing)
