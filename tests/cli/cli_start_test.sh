#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_start_test.sh TOOL FOLDER: train --start-from, which begins with the weights of a model file. Works
# in FOLDER.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/helpers.sh"

# nats NAME ARGUMENT...: of NAME.st on the images of the test, as text.
nats() {
  name=$1
  shift
  "$tool" evaluate --model "$name.st" --data test.idx "$@" --json "$name.json" >/dev/null
  value "$name.json" nats_per_image
}
# start FROM OUT ARGUMENT...: a training that begins with FROM.st.
start() {
  from=$1 out=$2
  shift 2
  "$tool" train --start-from "$from.st" --data train.idx.gz --batch-size 8 --seed 4 --threads 1 \
    --out "$out.st" "$@" >"$out.txt"
}
first() {
  "$tool" train --data train.idx.gz --batch-size 8 --model row_lstm --hidden 4 --head 4 \
    --initial-state zero --skip --zero-one --no-residual --orientation columns "$@" >/dev/null
}

first --layers 1 --epochs 3 --learning-rate 0.02 --seed 3 --average-decay 0.9 --out first.st

echo "== no rate at all: the same model, of the same options, its averaged weights"
start first same --steps 1 --learning-rate 1e-30 --json same.json
grep -q '"start_from": "first.st"' same.json || fail "the figures do not say it: $(cat same.json)"
test "$(nats first)" != "$(nats first --weights trained)" || fail "the average is the trained weights"
grep -q 'starting from first.st' same.txt || fail "it does not say where it starts: $(cat same.txt)"
test "$(nats same)" = "$(nats first)" || fail "started: $(nats same), the first: $(nats first)"
# The control: without it weights are others.
first --layers 1 --steps 1 --learning-rate 1e-30 --seed 4 --out fresh.st
test "$(nats fresh)" != "$(nats first)" || fail "fresh weights are those of another training"

echo "== it learns on, and a training that was stopped goes on"
start first on --epochs 2
less "$(nats on)" "$(nats first)" || fail "after two more epochs $(nats on), before $(nats first)"
"$tool" inspect --model on.st | grep -q '^option.start-from *first.st' ||
  fail "the file does not say where it started"
cp first.st other.st
start other part --epochs 2 --steps 9
mv other.st first_again.st  # what it started from is not needed any more
start ./other part --epochs 2 --steps 0 --resume part.st
sed 's/other.st/first.st/' part.st >named.st
cmp named.st on.st || fail "stopped and resumed, it is another model"

echo "== another order of the pixels, another size, colours"
start first turned --orientation 'rows from below from right' --epochs 1
"$tool" inspect --model turned.st >seen.txt
grep -q 'rows from below from right' seen.txt || fail "the order is not that of the command line: $(cat seen.txt)"
"$tool" sample --model first.st --count 1 --height 9 --width 12 --out small.png >/dev/null
"$tool" train --start-from first.st --data small.png --out small.st >small.txt
grep -q '9 x 12 x 1' small.txt || fail "the size is not that of the images: $(cat small.txt)"
printf '\000\000\010\004\000\000\000\001\000\000\000\002\000\000\000\002\000\000\000\003abc\377\377\377abcabc' >colour.idx
"$tool" train --start-from first.st --data colour.idx --out grey.st >grey.txt
grep -q '2 x 2 x 1' grey.txt || fail "colours are not grey to a grey model: $(cat grey.txt)"

echo "== what it is told is the file's too"
{
  printf '\000\000\010\001\000\000\000\074'  # 60 labels
  for _ in $(seq 20); do printf '\000\001\002'; done
} >labels.idx
train pixel_cnn told.st --labels labels.idx --condition class --classes 5 --condition-channels 3 >/dev/null
start told told_on --labels labels.idx --epochs 1
grep -q 'which of 5 classes' told_on.txt || fail "classes: $(cat told_on.txt)"
train pixel_cnn large.st --told-scale 2 >/dev/null
start large large_on --epochs 1
grep -q 'every 2. pixel' large_on.txt || fail "scale: $(cat large_on.txt)"

echo "== what does not fit is refused, and nothing is written"
set -- --data train.idx.gz --out none.st
refused 'hidden is "4", expected "8"' train --start-from first.st --hidden 8 "$@"
refused 'layers is "1", expected "2"' train --start-from first.st --layers 2 "$@"
refused 'condition is' train --start-from told.st --condition none "$@"
refused 'condition is' train --start-from large.st --scale 2 "$@"
# Options that change no shape of the weights make another model too.
train pixel_cnn plain.st >/dev/null
refused 'encoding is "-1..1", expected "0..1"' train --start-from plain.st --zero-one "$@"
refused 'net is' train --start-from plain.st --head-relu-after "$@"
"$tool" train --data colour.idx --model pixel_cnn --layers 1 --hidden 4 --head 4 --out colours.st >/dev/null
refused 'it is a model of 3 channels, the data have 1' train --start-from colours.st "$@"
refused '--start-from: the name of the file is empty' train --start-from "" "$@"
# What a file promises and does not hold is not made, of a model to resume either.
LC_ALL=C sed 's/"hidden":"4"/"hidden":"9999"/; s/threshold(128)/threshold()/' first.st >huge.st
test "$(wc -c <huge.st)" -eq "$(wc -c <first.st)" || fail "the header of huge.st is not as long"
(
  # A sanitizer takes terabytes of addresses for itself.
  # shellcheck disable=SC3045
  test -n "${PIXELRNN_SANITIZE:-}" || ulimit -v 2000000
  for option in --start-from --resume; do
    refused "hidden 9999, head 4 and a stream of" train $option huge.st "$@"
  done
  test $failures -eq 0
) || failures=$((failures + 1))
refused "there is no file nowhere" train --start-from nowhere "$@"
refused "--out would overwrite first.st, which is --start-from too" train --start-from first.st \
  --data train.idx.gz --out first.st
refused 'S2: "test.idx"' train --start-from test.idx "$@"
test ! -e none.st || fail "none.st was written"

finish
