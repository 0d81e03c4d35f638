#!/bin/sh
# SPDX-License-Identifier: MIT
# other_compiler.sh CMAKE SOURCE BINARY TARGET OPTION...: configures the project anew with the
# options, and builds one target.
set -eu
cmake=$1 source=$2 binary=$3 target=$4
shift 4
"$cmake" -S "$source" -B "$binary" -DPIXELRNN_BUILD_EXAMPLES=OFF -DPIXELRNN_BUILD_BENCHMARKS=OFF "$@"
"$cmake" --build "$binary" --target "$target" --parallel 2
