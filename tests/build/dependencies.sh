#!/bin/sh
# SPDX-License-Identifier: MIT
# dependencies.sh CMAKE SOURCE FOLDER OPTION...: what configuring says of dependencies that are missing
# or too old, when none may be downloaded. Eigen and xsimd are packages made here, of which CMake sees
# the version and a target, so the test asks for nothing to be installed.
set -eu
cmake=$1 source=$2 folder=$3
shift 3
rm -rf "$folder"
mkdir -p "$folder"
failures=0

# package PREFIX NAME VERSION TARGET: an installed package that is nothing but its CMake files.
package() {
  mkdir -p "$folder/$1/lib/cmake/$2"
  echo "set(PACKAGE_VERSION $3)" >"$folder/$1/lib/cmake/$2/$2ConfigVersion.cmake"
  echo "add_library($4 INTERFACE IMPORTED)" >"$folder/$1/lib/cmake/$2/$2Config.cmake"
}
package new Eigen3 3.4.0 Eigen3::Eigen
package new xsimd 8.1.0 xsimd
package old_eigen Eigen3 3.3.9 Eigen3::Eigen
package old_xsimd xsimd 8.0.9 xsimd
package old_catch2 Catch2 2.9.2 Catch2::Catch2

# expect STATUS TEXT PREFIX OPTION...: with the packages of PREFIX before those of "new", configuring
# must end with STATUS (0 or 1) and say TEXT in one sentence. All in one build folder, so that the
# compiler is looked at once.
expect() {
  status=$1 text=$2 prefix=$3
  shift 3
  found=0
  said=$("$cmake" -S "$source" -B "$folder/build" -U '*_DIR' -U 'CMAKE_DISABLE_FIND_PACKAGE_*' \
    -DPIXELRNN_FETCH=OFF -DPIXELRNN_REQUIRE_IO=OFF -DCMAKE_PREFIX_PATH="$folder/$prefix;$folder/new" \
    -DPIXELRNN_BUILD_TESTS=OFF -DPIXELRNN_BUILD_EXAMPLES=OFF -DPIXELRNN_BUILD_BENCHMARKS=OFF "$@" \
    2>&1) || found=1
  # CMake breaks long lines.
  said=$(echo "$said" | tr -s '\n ' ' ')
  case "$found $said" in
    "$status "*"$text"*) ;;
    *)
      echo "with $* (${prefix}): expected status $status and: $text"
      echo "but status $found and: $said"
      failures=$((failures + 1))
      ;;
  esac
}
without=-DCMAKE_DISABLE_FIND_PACKAGE_

expect 0 'Configuring done' new "$@"
expect 1 'pixelrnn needs Eigen 3.4 or later (Debian, Ubuntu: libeigen3-dev) Call' new \
  ${without}Eigen3=ON "$@"
expect 1 'pixelrnn needs Eigen 3.4 or later (found 3.3.9) Call' old_eigen "$@"
expect 1 'pixelrnn needs xsimd 8.1 or later (Debian, Ubuntu: libxsimd-dev) Call' new \
  ${without}xsimd=ON "$@"
expect 1 'pixelrnn needs xsimd 8.1 or later (found 8.0.9) Call' old_xsimd "$@"
# io is optional, unless it is asked for.
io='ZLIB::ZLIB (Debian, Ubuntu: zlib1g-dev), PNG::PNG (Debian, Ubuntu: libpng-dev), '\
'SndFile::sndfile (Debian, Ubuntu: libsndfile1-dev), libzip::zip (Debian, Ubuntu: libzip-dev), '\
'nlohmann_json::nlohmann_json (Debian, Ubuntu: nlohmann-json3-dev)'
without_io="${without}ZLIB=ON ${without}PNG=ON ${without}SndFile=ON ${without}libzip=ON
  ${without}nlohmann_json=ON"
# The list of words is meant to be split.
# shellcheck disable=SC2086
{
  expect 0 "pixelrnn: no target pixelrnn::io, for want of $io -- " new $without_io "$@"
  expect 1 "pixelrnn::io, which PIXELRNN_REQUIRE_IO asks for, needs $io --" new \
    $without_io "$@" -DPIXELRNN_REQUIRE_IO=ON
}
catch2="pixelrnn's tests need Catch2 2.13 or later, built with Catch2::Catch2WithMain "\
'(Debian, Ubuntu: catch2) Call'
expect 1 "$catch2" new ${without}Catch2=ON "$@" -DPIXELRNN_BUILD_TESTS=ON
expect 1 "$catch2" old_catch2 "$@" -DPIXELRNN_BUILD_TESTS=ON
expect 1 "pixelrnn's benchmarks need Google Benchmark (Debian, Ubuntu: libbenchmark-dev) Call" new \
  ${without}benchmark=ON "$@" -DPIXELRNN_BUILD_BENCHMARKS=ON
expect 1 "pixelrnn's command line tool needs CLI11 (Debian, Ubuntu: libcli11-dev) Call" new \
  ${without}CLI11=ON "$@" -DPIXELRNN_BUILD_EXAMPLES=ON

echo "$failures mistakes"
test "$failures" -eq 0
