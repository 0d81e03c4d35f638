#!/bin/sh
# SPDX-License-Identifier: MIT
# demo_test.sh DEMO TOOL FOLDER: runs the demo in FOLDER on few generated shapes, without its data and
# with shapes for data. It must learn and leave its images. How long it takes, nobody asks here.
set -eu
demo=$1 tool=$2 folder=$3
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
PIXELRNN_DEMO_IMAGES=400 sh "$demo" "$tool" no-data out >said 2>&1 || { cat said; exit 1; }

fail() { cat said; echo "$1"; exit 1; }
grep -q 'generated shapes instead' said || fail "the demo took other images than the generated ones"

# What held-out images cost after one step, and after training.
awk '/ nats\/image .* 500 images/ { count++; nats[count] = $1 }
     END { print nats[1] " nats, then " nats[2]; exit !(count == 2 && nats[2] > 0 && nats[2] < nats[1]) }' \
  said || fail "training does not make held-out images cheaper"

# images FOLDER NAME...
images() {
  out=$1
  shift
  for image in "$@"; do
    head -c 8 "$out/$image.png" | od -An -tx1 | grep -q '89 50 4e 47 0d 0a 1a 0a' ||
      fail "no PNG in $out/$image.png"
  done
}
images out digits samples completions

mkdir data
"$tool" shapes --out data/train-images-idx3-ubyte.gz --count 40 --seed 1 >said
"$tool" shapes --out data/t10k-images-idx3-ubyte.gz --count 40 --seed 2 >said
{ printf '\000\000\010\001\000\000\000\050' && head -c 40 /dev/zero; } |
  gzip -c >data/t10k-labels-idx1-ubyte.gz
sh "$demo" "$tool" data of_data >said 2>&1 || { cat said; exit 1; }
images of_data digits clothes samples completions
