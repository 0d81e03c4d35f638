#!/bin/sh
# SPDX-License-Identifier: MIT
# build_and_run.sh CMAKE SOURCE BINARY OPTION...: configures, builds and runs a consumer, from nothing.
set -eu
cmake=$1 source=$2 binary=$3
shift 3
rm -rf "$binary"
"$cmake" -S "$source" -B "$binary" "$@"
"$cmake" --build "$binary" --parallel 2
cd "$binary"
test "$(./consumer)" = right
