#!/bin/sh
# SPDX-License-Identifier: MIT
# abi_names_test.sh FOLDER COMPILER FLAG...: shows that abi_names.sh finds a name that says too little,
# and one that says too much.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/abi_names.sh
folder=$1
shift
mkdir -p "$folder/pixelrnn/core"
failures=0

# config LINE...: the config.hpp to check.
config() { printf '%s\n' "$@" >"$folder/pixelrnn/core/config.hpp"; }

# expect TEXT COMPILER FLAG...: the check must fail and say TEXT.
expect() {
  text=$1 compiler=$2
  shift 2
  if said=$(sh "$check" "$compiler" "-I$folder" "$@") || ! echo "$said" | grep -qF "$text"; then
    echo "not found: $text; the check said: $said"
    failures=$((failures + 1))
  fi
}

config '#define PIXELRNN_ABI same'
expect 'one name for different' "$@"
# A Haswell has what x86-64-v3 has, and AES.
if "$1" -march=haswell -E -x c++ /dev/null >/dev/null 2>&1; then
  words='PIXELRNN_ABI_VECTORS, PIXELRNN_ABI_LETTERS, PIXELRNN_ABI_THREADS'
  config '#include_next <pixelrnn/core/config.hpp>' '#ifdef __AES__' '#undef PIXELRNN_ABI' \
    "#define PIXELRNN_ABI PIXELRNN_ABI_JOIN(aes, $words, PIXELRNN_ABI_IF(__FAST_MATH__, _fast), , )" \
    '#endif'
  expect 'two names for the same' "$@"
fi
echo "$failures mistakes not found"
test "$failures" -eq 0
