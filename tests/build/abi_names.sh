#!/bin/sh
# SPDX-License-Identifier: MIT
# abi_names.sh COMPILER FLAG...: fails if two sets of compiler flags that differ in vector
# extensions, OpenMP or -ffinite-math-only give the library's inline namespace one name, or if two that
# agree in them give it two. Nothing is compiled: the preprocessor knows all of it. Processors that
# the compiler does not know are left out.
set -eu

# The macros by which a compiler tells of what must be in the name. Of x86 that is all of its
# vectors, but for parts that only they use who ask for them by hand.
macros() {
  awk '$2 ~ /^__(SSE[234]|SSSE|AVX|FMA|F16C|XOP)/ || ($2 ~ /^(_OPENMP|__FINITE_MATH_ONLY__)$/ && $3 > 0) ||
       $2 ~ /^__ARM_(NEON|FEATURE_(FMA|FP16_VECTOR_ARITHMETIC|DOTPROD|MATMUL_INT8|SVE|SVE2|SVE_BITS))$/ {
         print $2 "=" $3 }' | grep -vE '^__(SSE2_MATH|SSE4A|AVX512VP2INTERSECT|AVX5124)' | sort | tr '\n' ' '
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <pixelrnn/core/config.hpp>\nPIXELRNN_ABI\n' >"$folder/name.cpp"

# look FLAG...: writes a line "name<tab>macros" for the compiler with these flags, if it knows them.
look() {
  "$compiler" "$@" -dM -E "$folder/name.cpp" >"$folder/defined" 2>/dev/null || return 0
  name=$("$compiler" "$@" -E -P "$folder/name.cpp" | tail -n 1)
  printf '%s\t%s\n' "$name" "$(macros <"$folder/defined")" >>"$folder/all"
}
compiler=$1
shift

look "$@"
look "$@" -fno-openmp
look "$@" -fno-openmp -ffast-math -DPIXELRNN_ALLOW_FAST_MATH
look "$@" -fno-openmp -ffinite-math-only -DPIXELRNN_ALLOW_FAST_MATH
for flags in -march=nocona -march=core2 -msse4.1 -march=nehalem -march=x86-64-v2 \
  -march=sandybridge -march=ivybridge -mavx2 '-mavx2 -mfma' '-mavx2 -mf16c' -march=haswell \
  -march=x86-64-v3 -march=znver1 -march=bdver1 -march=bdver2 -march=alderlake -march=knl -march=knm -mavx512f -march=x86-64-v4 \
  -march=skylake-avx512 -march=cannonlake -march=cascadelake -march=cooperlake -march=icelake-client \
  -march=tigerlake -march=sapphirerapids -march=znver4 \
  -march=armv8-a -march=armv8.2-a+dotprod -march=armv8.2-a+fp16 -march=armv8.2-a+sve \
  '-march=armv8.2-a+sve -msve-vector-bits=256' '-march=armv8.2-a+sve -msve-vector-bits=512' \
  -march=armv8.2-a+i8mm -march=armv9-a; do
  # Some are two flags.
  # shellcheck disable=SC2086
  look "$@" $flags
done
for part in cd er pf dq bw vl ifma vbmi vbmi2 vnni bitalg vpopcntdq bf16 fp16; do
  look "$@" -mavx512f "-mavx512$part"
done
look "$@" -mfma4
look "$@" -mxop

sort -u "$folder/all" >"$folder/different"
cut -f1 "$folder/different" | sort | uniq -d >"$folder/names"
cut -f2 "$folder/different" | sort | uniq -d >"$folder/macros"
if [ -s "$folder/names" ]; then
  echo "one name for different vectors, OpenMP or mathematics:"
  grep -F -f "$folder/names" "$folder/different"
  exit 1
fi
if [ -s "$folder/macros" ]; then
  echo "two names for the same:"
  grep -F -f "$folder/macros" "$folder/different"
  exit 1
fi
echo "$(wc -l <"$folder/all") sets of flags, $(wc -l <"$folder/different") different ones:"
cut -f1 "$folder/different"
# At the least: without OpenMP, and with -ffast-math.
test "$(wc -l <"$folder/different")" -ge 2
