# SPDX-License-Identifier: MIT
# How our own tests, examples and benchmarks are compiled: target pixelrnn_development. None of it
# reaches a project that uses the library.
include(CheckCXXCompilerFlag)

option(PIXELRNN_NATIVE "Compile tests, examples and benchmarks for this machine's processor" ON)
option(PIXELRNN_WARNINGS_AS_ERRORS "Let a warning end the build" OFF)
option(PIXELRNN_COVERAGE "Count executed lines (gcov)" OFF)
# Tests of one room, and sources of the tool, instantiate much the same: it is compiled once for
# several of them. Off where people work, because a change to one then compiles its neighbours.
option(PIXELRNN_UNITY "Compile tests and tool several sources at a time" OFF)
set(PIXELRNN_SANITIZE "" CACHE STRING "What -fsanitize= gets: address,undefined or thread")

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build" FORCE)
  endif()
  find_program(PIXELRNN_CCACHE ccache)
  mark_as_advanced(PIXELRNN_CCACHE)
  if(PIXELRNN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Without these words it leaves alone whatever uses a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
                                    CCACHE_SLOPPINESS=pch_defines,time_macros ${PIXELRNN_CCACHE})
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
endif()

add_library(pixelrnn_development INTERFACE)
target_compile_options(
  pixelrnn_development INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(pixelrnn_development INTERFACE -fpch-preprocess)  # so that ccache sees it
endif()
if(PIXELRNN_WARNINGS_AS_ERRORS)
  target_compile_options(pixelrnn_development INTERFACE -Werror)
endif()
if(PIXELRNN_NATIVE)
  check_cxx_compiler_flag(-march=native PIXELRNN_HAS_MARCH_NATIVE)
  if(PIXELRNN_HAS_MARCH_NATIVE)
    target_compile_options(pixelrnn_development INTERFACE -march=native)
  endif()
endif()
if(PIXELRNN_COVERAGE)
  target_compile_options(pixelrnn_development INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(pixelrnn_development INTERFACE --coverage)
endif()
if(PIXELRNN_SANITIZE)
  set(sanitize -fsanitize=${PIXELRNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(pixelrnn_development INTERFACE ${sanitize} -g1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    target_compile_options(
      pixelrnn_development
      INTERFACE -fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitizer-ignorelist.txt)
  endif()
  target_link_options(pixelrnn_development INTERFACE ${sanitize})
  if(PIXELRNN_SANITIZE MATCHES thread)
    # Archer tells the sanitizer how OpenMP synchronises; without it every parallel loop is a race.
    file(REAL_PATH ${CMAKE_CXX_COMPILER} compiler)
    cmake_path(GET compiler PARENT_PATH compiler_bin)
    find_library(PIXELRNN_ARCHER archer HINTS ${compiler_bin}/../lib)
    if(NOT PIXELRNN_ARCHER)
      message(FATAL_ERROR "The thread sanitizer needs clang, and Archer of libomp: libomp-dev")
    endif()
    target_link_options(
      pixelrnn_development INTERFACE -Wl,--push-state,--no-as-needed ${PIXELRNN_ARCHER}
      -Wl,--pop-state,-rpath,${compiler_bin}/../lib)
  endif()
endif()
