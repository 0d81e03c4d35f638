#!/bin/sh
# SPDX-License-Identifier: MIT
# no_warnings.sh SOURCE COMPILER FLAG...: compiles a source, optimised, and fails if the compiler has
# anything to say. A source that asks for WRONG holds a mistake then, of which it must warn.
set -eu
source=$1
shift
said=$("$@" -Wall -Wextra -O3 -c "$source" -o /dev/null 2>&1) || { echo "$said"; exit 1; }
if [ -n "$said" ]; then
  echo "$said"
  exit 1
fi
if grep -q '^#ifdef WRONG' "$source"; then
  said=$("$@" -DWRONG -Wall -Wextra -O3 -c "$source" -o /dev/null 2>&1) || { echo "$said"; exit 1; }
  case $said in
    *warning:*"$(basename "$source")"* | *"$(basename "$source")"*warning:*) ;;
    *)
      echo "the compiler does not warn of the mistake: $said"
      exit 1
      ;;
  esac
fi
