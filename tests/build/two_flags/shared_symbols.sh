#!/bin/sh
# SPDX-License-Identifier: MIT
# shared_symbols.sh NM MUST_DIFFER OBJECT OBJECT: fails if the two objects define the same weak
# symbol of the library, which the linker would merge although their machine code differs. If
# MUST_DIFFER is empty the processor knows no more than x86-64: then there is one instruction set,
# one name for it, and nothing to ask.
set -eu
nm=$1 must_differ=$2 first=$3 second=$4

# Weak symbols (functions V, W; objects u) of which the library is a part, by readable name.
symbols() { "$nm" -C --defined-only "$1" | awk '$2 ~ /^[VWu]$/ && /pixelrnn::/' | cut -d' ' -f3- | sort; }

# Prints what both lists hold.
shared() {
  symbols "$1" >first_symbols
  symbols "$2" >second_symbols
  comm -12 first_symbols second_symbols
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# An object shares everything with itself: the search can find something.
test -n "$(shared "$first" "$first")" || { echo "no symbol of the library in $first"; exit 1; }
test -n "$(shared "$second" "$second")" || { echo "no symbol of the library in $second"; exit 1; }

both=$(shared "$first" "$second")
if [ -n "$must_differ" ] && [ -n "$both" ]; then
  echo "defined by both objects, under names without the instruction set:"
  echo "$both"
  exit 1
fi
echo "$(wc -l <first_symbols) and $(wc -l <second_symbols) symbols, shared: $(echo "$both" | grep -c . || true)"
