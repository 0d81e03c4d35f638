# SPDX-License-Identifier: MIT
# Finds what pixelrnn::io links: pixelrnn_io_libraries, or what is not here: pixelrnn_io_missing.
# Installed beside pixelrnnConfig.cmake, and used by it.
find_package(ZLIB QUIET)
find_package(PNG QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json CONFIG QUIET)
endif()

# Debian's package has no CMake files.
if(NOT TARGET SndFile::sndfile)
  find_package(SndFile CONFIG QUIET)
endif()
if(NOT TARGET SndFile::sndfile AND NOT CMAKE_DISABLE_FIND_PACKAGE_SndFile)
  find_path(PIXELRNN_SNDFILE_INCLUDE sndfile.h)
  find_library(PIXELRNN_SNDFILE_LIBRARY sndfile)
  mark_as_advanced(PIXELRNN_SNDFILE_INCLUDE PIXELRNN_SNDFILE_LIBRARY)
  if(PIXELRNN_SNDFILE_INCLUDE AND PIXELRNN_SNDFILE_LIBRARY)
    add_library(SndFile::sndfile UNKNOWN IMPORTED GLOBAL)
    set_target_properties(
      SndFile::sndfile PROPERTIES IMPORTED_LOCATION "${PIXELRNN_SNDFILE_LIBRARY}"
                                  INTERFACE_INCLUDE_DIRECTORIES "${PIXELRNN_SNDFILE_INCLUDE}")
  endif()
endif()

# Debian's package has CMake files that ask for programs of other packages.
if(NOT TARGET libzip::zip AND NOT CMAKE_DISABLE_FIND_PACKAGE_libzip)
  find_path(PIXELRNN_ZIP_INCLUDE zip.h)
  find_library(PIXELRNN_ZIP_LIBRARY zip)
  mark_as_advanced(PIXELRNN_ZIP_INCLUDE PIXELRNN_ZIP_LIBRARY)
  if(PIXELRNN_ZIP_INCLUDE AND PIXELRNN_ZIP_LIBRARY)
    add_library(libzip::zip UNKNOWN IMPORTED GLOBAL)
    set_target_properties(
      libzip::zip PROPERTIES IMPORTED_LOCATION "${PIXELRNN_ZIP_LIBRARY}"
                             INTERFACE_INCLUDE_DIRECTORIES "${PIXELRNN_ZIP_INCLUDE}")
  endif()
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
