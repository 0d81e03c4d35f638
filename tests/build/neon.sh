#!/bin/sh
# SPDX-License-Identifier: MIT
# neon.sh FOLDER: the tests of simd, of kernels::Xsimd and of the layers in float for 64-bit Arm, made
# by Debian's cross compiler in FOLDER and run by qemu; and whether Arm has the same bits as others.
# For Catch2 2, which is a header.
set -eu
tests=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
rm -rf "$folder"
mkdir -p "$folder/headers"
# Of /usr/include, which is this machine's, only libraries that are headers.
for library in catch2 xsimd eigen3/Eigen; do
  ln -s "/usr/include/$library" "$folder/headers/"
done
cd "$folder"
printf '#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>\n' >main.cpp

compile() {
  aarch64-linux-gnu-g++ -O2 -std=c++20 -fopenmp -isystem headers -I"$tests/../include" -I"$tests" \
    -DPIXELRNN_TEST_FIXTURES='""' -c "$1" -o "$(basename "$1" .cpp).o"
}
pids=
for source in main.cpp "$tests"/support/allocations.cpp "$tests"/simd/*_test.cpp \
  "$tests"/kernels/tile_test.cpp "$tests"/kernels/xsimd_test.cpp "$tests"/nn/*_float_test.cpp; do
  compile "$source" &
  pids="$pids $!"
  # Two at a time.
  set -- $pids
  if test $# -ge 2; then
    wait "$1"
    pids=$2
  fi
done
for pid in $pids; do wait "$pid"; done
aarch64-linux-gnu-g++ -fopenmp ./*.o -o neon_tests
qemu-aarch64 -L /usr/aarch64-linux-gnu ./neon_tests
exec sh "$tests/build/same_bits.sh" "$PWD/same_bits" "qemu-aarch64 -L /usr/aarch64-linux-gnu" \
  aarch64-linux-gnu-g++ -O2 -std=c++20 -fopenmp -isystem "$PWD/headers" -I"$tests/../include"
