#!/bin/sh
# SPDX-License-Identifier: MIT
# check_layers_test.sh FOLDER: builds small trees in FOLDER and shows that check_layers.sh passes a
# right one and names the mistake in each wrong one.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/check_layers.sh
tree=$1
failures=0

# header PATH TEXT: a header of the tree with the right beginning.
header() {
  mkdir -p "$tree/$(dirname "$1")"
  printf '// SPDX-License-Identifier: MIT\n// An idea.\n#pragma once\n\n%b\n' "$2" >"$tree/$1"
}

right_tree() {
  rm -rf "$tree"
  header pixelrnn/core/a.hpp '#include <omp.h>\n#pragma omp parallel for\n'
  header pixelrnn/simd/b.hpp '#include <xsimd/xsimd.hpp>\nusing B = xsimd::batch<float>;'
  header pixelrnn/kernels/c.hpp '#include <Eigen/Core>\n#include <pixelrnn/simd/b.hpp>'
  header pixelrnn/nn/d.hpp '#include <pixelrnn/nn/e.hpp>\n#include <pixelrnn/kernels/c.hpp>'
  header pixelrnn/nn/e.hpp '// xsimd::batch, Eigen::Map and std::cout may be spoken of.\nusing K = kernels::Eigen;'
  header pixelrnn/nn/i.hpp 'static_assert(true);\nvoid f(char* s) { std::snprintf(s, 1, ""); g.inputs(1); }'
  header pixelrnn/io/f.hpp '#include <zlib.h>\n#include <pixelrnn/nn/d.hpp>'
  header pixelrnn/pixelrnn.hpp '#include <pixelrnn/nn/d.hpp>'
}

# expect TEXT: the check must fail and say TEXT.
expect() {
  if said=$(sh "$check" "$tree"); then
    echo "not found: $1"
    failures=$((failures + 1))
  elif ! printf '%s\n' "$said" | grep -qF "$1"; then
    echo "not named: $1; the check said: $said"
    failures=$((failures + 1))
  fi
}

# wrong PATH TEXT MESSAGE: a right tree with one wrong header.
wrong() {
  right_tree
  header "$1" "$2"
  expect "$3"
}

right_tree
sh "$check" "$tree" || { echo "a right tree was refused"; failures=1; }

wrong pixelrnn/core/a.hpp '#include <pixelrnn/nn/d.hpp>' \
  'pixelrnn/core/a.hpp:5: core includes pixelrnn/nn/d.hpp, which is above it'
wrong pixelrnn/nn/d.hpp '#  include <pixelrnn/io/f.hpp>' 'nn includes pixelrnn/io/f.hpp'
wrong pixelrnn/pixelrnn.hpp '#include <pixelrnn/io/f.hpp>' 'umbrella includes pixelrnn/io/f.hpp'
wrong pixelrnn/nn/d.hpp '#include <pixelrnn/pixelrnn.hpp>' 'nn includes pixelrnn/pixelrnn.hpp'
wrong pixelrnn/nn/d.hpp '#include <pixelrnn/nn/g.hpp>' 'nn/g.hpp, which does not exist'
wrong pixelrnn/nn/d.hpp '#include "e.hpp"' 'include with <>'
wrong pixelrnn/attic/g.hpp '' 'stands in no room'
wrong pixelrnn/g.hpp '' 'stands in no room'
wrong pixelrnn/kernels/c.hpp '#include <xsimd/xsimd.hpp>' 'xsimd belongs to simd/'
wrong pixelrnn/kernels/c.hpp 'xsimd::batch<float> b;' 'xsimd belongs to simd/'
wrong pixelrnn/nn/d.hpp '#include <Eigen/Core>' 'Eigen belongs to kernels/'
wrong pixelrnn/nn/d.hpp 'inline Eigen::MatrixXf m;' 'Eigen belongs to kernels/'
wrong pixelrnn/nn/d.hpp '#pragma omp parallel for' 'OpenMP belongs to core/'
wrong pixelrnn/nn/d.hpp 'int n = omp_get_max_threads();' 'OpenMP belongs to core/'
wrong pixelrnn/nn/d.hpp '#include <nlohmann/json.hpp>' 'a file format library belongs to io/'
wrong pixelrnn/nn/d.hpp 'void f() { std::cout << 1; }' 'neither prints nor ends the program'
wrong pixelrnn/nn/d.hpp 'void f() { exit(1); }' 'neither prints nor ends the program'
for statement in 'std::fprintf(stderr, "no");' 'std::fputs("no", stderr);' 'std::perror("no");' \
  "std::putchar('n');" 'std::wcout << 1;' 'std::_Exit(1);' 'std::quick_exit(1);' 'assert(false);'; do
  wrong pixelrnn/nn/d.hpp "void f() { $statement }" 'neither prints nor ends the program'
done
wrong pixelrnn/kernels/c.hpp 'void f() { Eigen::setNbThreads(1); }' 'sets no number of threads'

right_tree
sed -i '/pragma once/d' "$tree/pixelrnn/nn/d.hpp"
expect 'nn/d.hpp: has no #pragma once'
right_tree
sed -i 1d "$tree/pixelrnn/nn/d.hpp"
expect 'nn/d.hpp:1: the first line is not the SPDX line'
right_tree
sed -i 2d "$tree/pixelrnn/nn/d.hpp"
expect 'nn/d.hpp:2: the second line does not say the idea'
right_tree
yes '' | head -400 >>"$tree/pixelrnn/pixelrnn.hpp"
expect 'pixelrnn.hpp: has 405 lines, more than 400'
rm -rf "$tree"
mkdir -p "$tree/pixelrnn"
expect '0 headers'

echo "$failures mistakes not found"
test "$failures" -eq 0
