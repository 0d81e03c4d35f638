#!/bin/sh
# SPDX-License-Identifier: MIT
# must_not_compile_test.sh FOLDER COMPILER FLAG...: shows that must_not_compile.sh passes a source
# that is right about its mistake, and fails for each of the ways to be wrong about it.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/must_not_compile.sh
folder=$1
shift
mkdir -p "$folder"
failures=0

# lines TEXT...: the source to check.
lines() { printf '%s\n' "$@" >"$folder/source.cpp"; }

# expect TEXT: the check must fail and say TEXT.
expect() {
  text=$1
  shift
  if said=$(sh "$check" "$folder/source.cpp" "$@") || ! echo "$said" | grep -qF "$text"; then
    echo "not found: $text; the check said: $said"
    failures=$((failures + 1))
  fi
}

wrong='#ifndef RIGHT' end='#endif'
mistake='static_assert(false, "two eyes needed");'
lines '// expect: two eyes' '// expect: needed' "$wrong" "$mistake" "$end"
sh "$check" "$folder/source.cpp" "$@" || { echo "a right source was refused"; failures=1; }

lines '// expect: two eyes' '// errors: 1' '// flag: -DWRONG' '#ifdef WRONG' "$mistake" "$end"
sh "$check" "$folder/source.cpp" "$@" || { echo "a right source with a flag was refused"; failures=1; }

lines '// expect: two eyes' "$mistake"
expect 'does not compile even without the mistake' "$@"
lines '// expect: two eyes'
expect 'compiles, mistake and all' "$@"
lines '// expect: three eyes' "$wrong" "$mistake" "$end"
expect 'the compiler does not say: three eyes' "$@"
lines '// expect: two eyes' '// expect: three eyes' "$wrong" "$mistake" "$end"
expect 'the compiler does not say: three eyes' "$@"
lines "$wrong" "$mistake" "$end"
expect 'has no line' "$@"
lines '// expect: two eyes' '// errors: 1' "$wrong" "$mistake" 'int x = y;' "$end"
expect '2 errors, expected 1' "$@"
lines '// expect: two eyes' '// flag: -DRIGHT' "$wrong" "$mistake" "$end"
expect 'compiles, mistake and all' "$@"

echo "$failures mistakes not found"
test "$failures" -eq 0
