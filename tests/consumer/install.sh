#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh CMAKE BUILD PREFIX INCLUDE: installs pixelrnn anew into PREFIX, by way of another folder:
# an installed tree must not know where it was made. Fails unless every header of INCLUDE is there.
set -eu
cmake=$1 build=$2 prefix=$3 include=$4
rm -rf "$prefix" "$prefix.before"
"$cmake" --install "$build" --prefix "$prefix.before" >/dev/null
mv "$prefix.before" "$prefix"
if grep -rlF -e "$prefix.before" -e "$include" "$prefix"; then
  echo "name the place where they were made"
  exit 1
fi
(cd "$include" && find . -name '*.hpp' | sort) >"$prefix/expected"
(cd "$prefix/include" && find . -name '*.hpp' | sort) | diff "$prefix/expected" -
