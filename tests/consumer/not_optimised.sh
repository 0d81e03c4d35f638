#!/bin/sh
# SPDX-License-Identifier: MIT
# not_optimised.sh CMAKE SOURCE FOLDER -G GENERATOR OPTION...: a project that takes pixelrnn in is
# told once, while it is configured, that it is not optimised, and no other is.
set -eu
cmake=$1 source=$2 folder=$3
shift 3
rm -rf "$folder"
mkdir -p "$folder"
failures=0

# configure WAY OPTION...: how often it is said.
configure() {
  way=$1
  shift
  "$cmake" -S "$folder/$way" -B "$folder/$way/build" "$@" >"$folder/said" 2>&1 ||
    { cat "$folder/said"; exit 1; }
  grep -c 'pixelrnn: without optimisation' "$folder/said" || true
}

# expect TIMES WAY OPTION...
expect() {
  times=$1
  shift
  said=$(configure "$@")
  if [ "$said" -ne "$times" ]; then
    echo "said $said times, expected $times: $*"
    failures=$((failures + 1))
  fi
}

# project WAY LINE...: a project of these lines.
project() {
  way=$1
  shift
  mkdir "$folder/$way"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(user LANGUAGES CXX)' "$@" \
    >"$folder/$way/CMakeLists.txt"
}

project tree "add_subdirectory($source pixelrnn)"
project package 'find_package(pixelrnn CONFIG REQUIRED)' 'find_package(pixelrnn CONFIG REQUIRED)'
project quiet 'find_package(pixelrnn CONFIG REQUIRED QUIET)'
project options 'add_compile_options(-O2)' "add_subdirectory($source pixelrnn)"

for way in tree package; do
  expect 1 $way "$@"
  grep -q 'CMAKE_BUILD_TYPE=Release' "$folder/said" || { echo "no advice"; failures=1; }
  expect 1 $way -DCMAKE_BUILD_TYPE=Debug
  for type in Release RelWithDebInfo MinSizeRel; do expect 0 $way -DCMAKE_BUILD_TYPE=$type; done
  expect 0 $way -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG='-g -Og'
  expect 0 $way -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS=-O1
  expect 1 $way -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS='-O2 -O0'
done
expect 0 quiet "$@"
expect 0 options "$@"
if command -v ninja >/dev/null; then
  shift 2
  mkdir "$folder/several"
  cp "$folder/tree/CMakeLists.txt" "$folder/several"
  expect 0 several -G 'Ninja Multi-Config' "$@"
fi

echo "$failures failures"
test "$failures" -eq 0
