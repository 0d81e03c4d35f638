#!/bin/sh
# SPDX-License-Identifier: MIT
# run_needs.sh RUN FOLDER: what ./run says where there is no dpkg and programs are missing. PATH is a
# folder of this test's, so nothing is found that is not put there.
set -eu
run=$1 folder=$2
sh=$(command -v sh)
rm -rf "$folder"
mkdir -p "$folder"
ln -s "$(command -v dirname)" "$folder/dirname"
failures=0

# program NAME: a program that is there and does nothing.
program() {
  printf '#!%s\n' "$sh" >"$folder/$1"
  chmod +x "$folder/$1"
}

# expect STATUS TEXT COMMAND...: `./run COMMAND` must end with STATUS and print TEXT, to stderr alone.
expect() {
  status=$1 text=$2
  shift 2
  found=0
  said=$(PATH=$folder "$sh" "$run" "$@" 2>&1 >"$folder/output") || found=$?
  if [ "$found" != "$status" ] || [ "$said" != "$text" ] || [ -s "$folder/output" ]; then
    echo "./run $*: expected status $status and: $text"
    echo "but status $found and: $said$(cat "$folder/output")"
    failures=$((failures + 1))
  fi
}

missing='== please install what is missing:'
cxx="c++ (Debian's package g++)"
cmake="cmake (Debian's package cmake)"
ninja="ninja (Debian's package ninja-build)"
tidy="clang-tidy (Debian's package clang-tidy)"
expect 1 "$missing $cxx, $cmake, $ninja, clang++ (Debian's package clang), $tidy" test
expect 1 "$missing clang-format (Debian's package clang-format)" format --check
program c++
program clang++
program clang-tidy
program cmake
expect 1 "$missing $ninja" test
# Nothing is missing: the command goes on, here to look at no file at all.
program clang-format
program find
expect 0 '' format --check

echo "$failures mistakes"
test "$failures" -eq 0
