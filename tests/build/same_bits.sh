#!/bin/sh
# SPDX-License-Identifier: MIT
# same_bits.sh FOLDER RUNNER COMPILER...: whether same_bits/main.cpp, compiled so and run by RUNNER
# (none: -), prints the lines of same_bits/expected.txt. Its controls must differ from each other,
# or the lines would not tell one bit from another.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 runner=$2
shift 2
rm -rf "$folder"
mkdir -p "$folder"
"$@" "$here/same_bits/main.cpp" -o "$folder/same_bits"
test "$runner" != - || runner=
# A runner has arguments.
# shellcheck disable=SC2086
$runner "$folder/same_bits" >"$folder/all.txt"
grep -v '^control' "$folder/all.txt" >"$folder/found.txt"
if ! diff "$here/same_bits/expected.txt" "$folder/found.txt"; then
  echo "these bits differ. If that is meant: cp $folder/found.txt $here/same_bits/expected.txt" >&2
  exit 1
fi

# hash NAME: of a control.
hash() { sed -n "s/^control: $1 //p" "$folder/all.txt"; }
if test "$(hash 'two chains')" = "$(hash 'one chain')"; then
  echo "sums in one chain and in two have the same bits: the comparison sees no order of sums" >&2
  exit 1
fi
case " $* " in
  *" -ffp-contract=off "*)
    if test "$(hash fused)" = "$(hash 'as the compiler likes')"; then
      echo "fused or not is the same: the comparison does not see what a compiler contracts" >&2
      exit 1
    fi
    ;;
esac
