#!/bin/sh
# SPDX-License-Identifier: MIT
# by_hand.sh FOLDER SOURCE PACKAGE COMPILER FLAG...: builds and runs a consumer as one would in a shell.
set -eu
source=$1/$2 package=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# What pkg-config prints is a list of words.
# shellcheck disable=SC2046
"$@" "$source" -o consumer $(pkg-config --cflags --libs "$package")
test "$(./consumer)" = right
