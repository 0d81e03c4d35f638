#!/bin/sh
# SPDX-License-Identifier: MIT
# newer_xsimd.sh FOLDER: on Debian 12, unpacks the xsimd of Debian 13 in FOLDER and prints the prefix
# to find it by. xsimd's interface changed in versions 9, 11 and 14, and what everybody else has is
# newer than Debian 12's 8.1. Installs nothing; fails where it cannot be had.
set -eu
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release
mkdir -p "$1/sources" "$1/lists/partial" "$1/archives/partial"
cd "$1"
if ! test -d usr; then
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    ! test -f "$file" || sed s/bookworm/trixie/g "$file" >"sources/from-${file##*/}"
  done
  apt() {
    apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$PWD/sources" \
      -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD" -o APT::Sandbox::User="$(id -un)" "$@"
  }
  apt update >&2
  apt download libxsimd-dev xtl-dev >&2
  dpkg -x libxsimd-dev_*.deb unpacked
  dpkg -x xtl-dev_*.deb unpacked
  mv unpacked/usr usr
fi
echo "$PWD/usr"
