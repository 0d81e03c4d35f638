# SPDX-License-Identifier: MIT
# Where our own build takes its dependencies from: what is installed, else (PIXELRNN_FETCH) a fixed
# release. Of header-only projects only the headers are taken; their own build is not run.
#
# Nothing is declared with PIXELRNN_FETCH off: the first declaration of a name wins, and inside
# another project that should be the other project's.
if(PIXELRNN_FETCH)
  include(FetchContent)
  set(FETCHCONTENT_QUIET OFF)
  FetchContent_Declare(
    eigen GIT_REPOSITORY https://gitlab.com/libeigen/eigen.git GIT_TAG 3.4.0 GIT_SHALLOW ON
    SOURCE_SUBDIR headers-only)
  FetchContent_Declare(
    xsimd GIT_REPOSITORY https://github.com/xtensor-stack/xsimd.git GIT_TAG 14.3.0 GIT_SHALLOW ON
    SOURCE_SUBDIR headers-only)
  FetchContent_Declare(
    nlohmann_json GIT_REPOSITORY https://github.com/nlohmann/json.git GIT_TAG v3.11.3 GIT_SHALLOW ON
    SOURCE_SUBDIR headers-only)
  FetchContent_Declare(
    CLI11 GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git GIT_TAG v2.4.2 GIT_SHALLOW ON
    SOURCE_SUBDIR headers-only)
  FetchContent_Declare(
    Catch2 GIT_REPOSITORY https://github.com/catchorg/Catch2.git GIT_TAG v3.7.1 GIT_SHALLOW ON
    SYSTEM)
  FetchContent_Declare(
    benchmark GIT_REPOSITORY https://github.com/google/benchmark.git GIT_TAG v1.9.1 GIT_SHALLOW ON
    SYSTEM)
endif()

# Fetches a header-only project as an imported target: its headers warn nobody.
function(pixelrnn_fetch_headers name target include)
  message(STATUS "pixelrnn: fetching ${name}, which is not installed")
  FetchContent_MakeAvailable(${name})
  string(TOLOWER ${name} lower)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE ${${lower}_SOURCE_DIR}/${include})
endfunction()

# The library's own dependencies: there, fetched, or a sentence that says what is missing.
macro(pixelrnn_require_eigen)
  include(${PROJECT_SOURCE_DIR}/cmake/pixelrnn-eigen.cmake)
  if(pixelrnn_eigen_missing AND PIXELRNN_FETCH AND NOT TARGET Eigen3::Eigen)
    pixelrnn_fetch_headers(eigen Eigen3::Eigen .)
  elseif(pixelrnn_eigen_missing)
    message(FATAL_ERROR "pixelrnn needs ${pixelrnn_eigen_missing}")
  endif()
endmacro()

macro(pixelrnn_require_xsimd)
  include(${PROJECT_SOURCE_DIR}/cmake/pixelrnn-xsimd.cmake)
  if(pixelrnn_xsimd_missing AND PIXELRNN_FETCH)
    pixelrnn_fetch_headers(xsimd pixelrnn::xsimd include)
  elseif(pixelrnn_xsimd_missing)
    message(FATAL_ERROR "pixelrnn needs ${pixelrnn_xsimd_missing}")
  endif()
endmacro()

# nlohmann_json can be fetched; zlib, libpng, libsndfile and libzip are libraries of the system.
macro(pixelrnn_find_io)
  include(${PROJECT_SOURCE_DIR}/cmake/pixelrnn-io.cmake)
  if(PIXELRNN_FETCH AND pixelrnn_io_missing MATCHES "^nlohmann_json")
    pixelrnn_fetch_headers(nlohmann_json nlohmann_json::nlohmann_json include)
    set(pixelrnn_io_missing "")
  endif()
endmacro()

# What only tests, tool and benchmarks need, likewise. A Catch2 that is too old has no main function
# to link, and so no such target.
macro(pixelrnn_require_cli11)
  find_package(CLI11 CONFIG QUIET)
  if(NOT TARGET CLI11::CLI11 AND PIXELRNN_FETCH)
    pixelrnn_fetch_headers(CLI11 CLI11::CLI11 include)
  elseif(NOT TARGET CLI11::CLI11)
    message(FATAL_ERROR "pixelrnn's command line tool needs CLI11 (Debian, Ubuntu: libcli11-dev)")
  endif()
endmacro()

macro(pixelrnn_require_catch2)
  find_package(Catch2 CONFIG QUIET)
  if(NOT TARGET Catch2::Catch2WithMain AND PIXELRNN_FETCH)
    FetchContent_MakeAvailable(Catch2)
    list(APPEND CMAKE_MODULE_PATH ${catch2_SOURCE_DIR}/extras)
  elseif(NOT TARGET Catch2::Catch2WithMain)
    message(FATAL_ERROR "pixelrnn's tests need Catch2 2.13 or later, built with "
                        "Catch2::Catch2WithMain (Debian, Ubuntu: catch2)")
  endif()
endmacro()

macro(pixelrnn_require_benchmark)
  find_package(benchmark CONFIG QUIET)
  if(NOT TARGET benchmark::benchmark_main AND PIXELRNN_FETCH)
    set(BENCHMARK_ENABLE_TESTING OFF)
    set(BENCHMARK_ENABLE_INSTALL OFF)
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    FetchContent_MakeAvailable(benchmark)
  elseif(NOT TARGET benchmark::benchmark_main)
    message(FATAL_ERROR "pixelrnn's benchmarks need Google Benchmark "
                        "(Debian, Ubuntu: libbenchmark-dev)")
  endif()
endmacro()
