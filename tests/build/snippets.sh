#!/bin/sh
# SPDX-License-Identifier: MIT
# snippets.sh ROOT FOLDER DOCUMENT... -- COMPILER FLAG...: runs the marked blocks of the documents.
#
#   <!-- test: NAME -->     before a block of cpp: compiled (with $LDLIBS) and run; of sh: run;
#                           of cmake: configured and built as a project's CMakeLists.txt
#   <!-- output: NAME -->   before a block: what the program of that name prints, exactly
#
# A block of cpp without a mark is refused: it would rot unseen.
#
# All run in FOLDER, where `pixelrnn` is the source tree ROOT as if cloned there and the cpp blocks
# are NAME.cpp. A cmake block finds them beside it (the first also as main.cpp), the source tree as
# third_party/pixelrnn, and what FetchContent calls pixelrnn.
set -eu
root=$1 folder=$2
shift 2
rm -rf "$folder"
mkdir -p "$folder"

documents=
while [ "$1" != -- ]; do
  cat "$1" >>"$folder/documents"
  documents="$documents $1"
  shift
done
shift
cd "$folder"
ln -s "$root" pixelrnn

# Each marked block becomes a file, NAME.cpp, NAME.sh, NAME.cmake or NAME.expected; `blocks` lists
# those to run in the order of the text.
awk '
  function refuse(text) { print text; failed = 1; exit 1 }
  /^<!-- (test|output): [a-z0-9_-]+ -->$/ && !inside {
    if (marked) refuse("no block after the mark of " name)
    kind = $2; name = $3; marked = 1
    next
  }
  /^<!-- *(test|output)/ && !inside { refuse("no mark, but looks like one: " $0) }
  /^```/ && inside { inside = 0; marked = 0; next }
  /^```/ {
    inside = 1
    language = substr($0, 4)
    suffix = kind == "output:" ? "expected" : language
    if (!marked && language ~ /^(cpp|c\+\+|cxx)/) refuse("a block of cpp without a mark, line " FNR " of the text")
    if (marked && suffix !~ /^(cpp|sh|cmake|expected)$/) refuse(name " is a block of \"" language "\"")
    file = marked ? name "." suffix : "/dev/null"
    if (file in written) refuse("two blocks are called " file)
    if (marked) { written[file] = 1; printf "" >file }
    if (marked && kind == "test:") {
      if (name in tested) refuse("two tests are called " name)
      tested[name] = 1
      print name, language >"blocks"
    }
    next
  }
  inside { print >file; next }
  marked && NF { refuse("no block after the mark of " name) }
  END {
    if (failed) exit 1
    if (marked) refuse("no block, or no end of it, after the mark of " name)
    for (file in written) {
      stem = file
      if (sub(/\.expected$/, "", stem) && !(stem in tested)) refuse("output of no test: " stem)
    }
  }
' documents
if [ ! -s blocks ]; then
  echo "no marked block in$documents"
  exit 1
fi

# project NAME: configures and builds NAME.cmake.
project() {
  mkdir -p "$1.project/third_party"
  ln -s "$root" "$1.project/third_party/pixelrnn"
  cp ./*.cpp "$1.project"
  first=$(awk '$2 == "cpp" { print $1; exit }' blocks)
  test -z "$first" || cp "$first.cpp" "$1.project/main.cpp"
  grep -q cmake_minimum_required "$1.cmake" ||
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(%s LANGUAGES CXX)\n' "$1" \
      >"$1.project/CMakeLists.txt"
  cat "$1.cmake" >>"$1.project/CMakeLists.txt"
  cmake -S "$1.project" -B "$1.project/build" -DFETCHCONTENT_SOURCE_DIR_PIXELRNN="$root" &&
    cmake --build "$1.project/build" --parallel 2
}

failures=0
while read -r name language; do
  echo "== $name ($language)"
  status=0
  case $language in
    cpp)
      # LDLIBS is a list of words.
      # shellcheck disable=SC2086
      "$@" -o "$name" "$name.cpp" ${LDLIBS:-} || status=$?
      if [ $status -eq 0 ]; then "./$name" >"$name.actual" </dev/null || status=$?; fi
      ;;
    sh) sh -eu "$name.sh" >"$name.actual" </dev/null || status=$? ;;
    cmake) project "$name" >"$name.actual" 2>&1 </dev/null || status=$? ;;
  esac
  if [ $status -ne 0 ]; then
    test ! -e "$name.actual" || cat "$name.actual"
    echo "$name fails"
    failures=$((failures + 1))
  elif [ -e "$name.expected" ] && ! diff -u "$name.expected" "$name.actual"; then
    echo "$name prints something else"
    failures=$((failures + 1))
  fi
done <blocks
echo "$(grep -c . blocks) blocks, $failures failures"
test "$failures" -eq 0
