#!/bin/sh
# SPDX-License-Identifier: MIT
# check_layers.sh FOLDER: checks FOLDER/pixelrnn against the rules of the house, prints each breach
# and fails if there is one.
#
# The rooms stand one above the other (nn has a folder for each kind of layer), and a header includes only its own room and lower ones. The
# umbrella pixelrnn.hpp stands above verify and below io, so no header of io can be reached from it.
# shellcheck disable=SC2016  # the dollars are awk's
set -eu
cd "$1"
find pixelrnn -name '*.hpp' | sort | xargs awk '
  BEGIN {
    count = split("core simd kernels taps autodiff nn likelihood optim models sampling training verify" \
                  " umbrella io", rooms, " ")
    for (i = 1; i <= count; i++) rank[rooms[i]] = i
  }

  function breach(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; breaches++ }
  function room_of(path, parts) {
    if (path == "pixelrnn/pixelrnn.hpp") return "umbrella"
    depth = split(path, parts, "/")
    return depth == 3 || (depth == 4 && parts[2] == "nn") ? parts[2] : "none"
  }
  # Only `room` may do what the pattern finds.
  function reserve(pattern, owner, what) {
    if (room != owner && code ~ pattern) breach(what " belongs to " owner "/")
  }
  function end_of_header() {
    if (!has_guard) { print header ": has no #pragma once"; breaches++ }
    if (lines > 400) { print header ": has " lines " lines, more than 400"; breaches++ }
  }

  FNR == 1 {
    if (header != "") end_of_header()
    header = FILENAME; has_guard = 0; headers++
    room = room_of(FILENAME)
    if (!(room in rank)) breach("stands in no room")
    if ($0 != "// SPDX-License-Identifier: MIT") breach("the first line is not the SPDX line")
  }
  FNR == 2 && !/^\/\/ [^ ].*/ { breach("the second line does not say the idea of the header") }
  { lines = FNR; code = $0; sub(/\/\/.*/, "", code) }
  /^#pragma once$/ { has_guard = 1 }

  /^[ \t]*#[ \t]*include/ {
    if ($0 ~ /"/) breach("include with <>, from the root: <pixelrnn/room/header.hpp>")
    if (match($0, /<pixelrnn\/[^>]*>/)) {
      path = substr($0, RSTART + 1, RLENGTH - 2)
      wanted = room_of(path)
      if (!(wanted in rank)) breach("includes " path ", which is in no room")
      else if (rank[wanted] > rank[room]) breach(room " includes " path ", which is above it")
      if ((getline line <path) < 0) breach("includes " path ", which does not exist")
      close(path)
    }
  }
  {
    reserve("<xsimd/|xsimd::|XSIMD_", "simd", "xsimd")
    reserve("<(unsupported/)?Eigen/|[^a-z_]Eigen::[A-Z]|EIGEN_", "kernels", "Eigen")
    reserve("<omp\\.h>|[^a-z_]omp_[a-z]|#[ \t]*pragma[ \t]+omp[ \t]+parallel", "core", "OpenMP")
    reserve("<(zlib|png|spng)\\.h>|<nlohmann/", "io", "a file format library")
  }
  code ~ "<(iostream|cassert|assert\\.h)>|std::w?(cout|cerr|clog)" ||
      (" " code) ~ "[^A-Za-z0-9_](v?f?w?printf|f?put(s|c|ws|wc)|putw?char|perror|assert) *\\(" ||
      code ~ "std::(abort|exit|_Exit|quick_exit|terminate)" ||
      (" " code) ~ "[^A-Za-z0-9_](abort|_?exit|_Exit|quick_exit) *\\(" {
    breach("the library neither prints nor ends the program")
  }
  code ~ /setNbThreads|omp_set_/ { breach("the library sets no number of threads of the program") }

  END {
    if (header != "") end_of_header()
    print headers + 0 " headers, " breaches + 0 " breaches"
    exit breaches > 0 || headers == 0
  }
'
