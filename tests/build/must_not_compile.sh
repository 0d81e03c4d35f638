#!/bin/sh
# SPDX-License-Identifier: MIT
# must_not_compile.sh SOURCE COMPILER FLAG...: checks a source that holds one mistake.
#
# The source says in lines `// expect: TEXT` what the compiler must print, and is right if RIGHT is
# defined. It must not compile as it is, every TEXT must be in the messages, and with -DRIGHT it must
# compile: so the mistake is what was refused, not something else. A line `// errors: N` says how
# many errors there must be, `// flag: FLAG` with what the mistake is compiled.
set -eu
source=$1
shift

if ! said=$("$@" -fsyntax-only -DRIGHT "$source" 2>&1); then
  echo "$source does not compile even without the mistake:"
  echo "$said"
  exit 1
fi
flag=$(sed -n 's,^// flag: ,,p' "$source")
if said=$("$@" ${flag:+"$flag"} -fsyntax-only "$source" 2>&1); then
  echo "$source compiles, mistake and all"
  exit 1
fi
expected=$(sed -n 's,^// expect: ,,p' "$source")
if [ -z "$expected" ]; then
  echo "$source has no line '// expect: TEXT'"
  exit 1
fi
echo "$expected" | while IFS= read -r text; do
  case $said in
    *"$text"*) ;;
    *)
      echo "$source: the compiler does not say: $text"
      echo "$said"
      exit 1
      ;;
  esac
done
expected=$(sed -n 's,^// errors: ,,p' "$source")
errors=$(echo "$said" | grep -c 'error: ') || true
if [ -n "$expected" ] && [ "$errors" -ne "$expected" ]; then
  echo "$source: $errors errors, expected $expected"
  echo "$said"
  exit 1
fi
