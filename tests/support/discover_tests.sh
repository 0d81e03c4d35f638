#!/bin/sh
# SPDX-License-Identifier: MIT
# discover_tests.sh PROGRAM ROOM FOLDER LISTING OPTION...: writes to LISTING a ctest test for each
# test case of the Catch2 program, labelled by room and run in FOLDER. The options make the program
# list its tests.
#
# Catch2 comes with catch_discover_tests, which passes the names through CMake lists: there "[0, 1)"
# swallows every name after it, and a semicolon cuts a name in two. Names here are sentences.
set -eu
program=$1 room=$2 folder=$3 listing=$4
shift 4
mkdir -p "$folder"
# Catch2 2 returns the number of tests; that there are some is checked below.
("$program" "$@" || true) | awk -v program="$program" -v room="$room" -v folder="$folder" '
  NF {
    name = $0
    sub(/^[ \t]+/, "", name)
    spec = name
    gsub(/[][\\,"]/, "\\\\&", spec)  # what Catch2 would read as syntax
    printf "add_test([==[%s: %s]==] [==[%s]==] [==[%s]==])\n", room, name, program, spec
    printf "set_tests_properties([==[%s: %s]==] PROPERTIES LABELS %s", room, name, room
    printf " WORKING_DIRECTORY [==[%s]==] ENVIRONMENT OMP_WAIT_POLICY=passive", folder
    printf " FAIL_REGULAR_EXPRESSION \"No test cases matched\")\n"
    count++
  }
  END { if (!count) { print program ": no test cases" > "/dev/stderr"; exit 1 } }
' >"$listing.new"
mv "$listing.new" "$listing"
