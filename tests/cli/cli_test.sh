#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_test.sh TOOL FOLDER: the command line tool TOOL from generated images to completed ones, in
# FOLDER. A resumed training must equal one without a break to the bit.
set -eu
. "$(dirname "$0")/helpers.sh"

echo "== train, evaluate, sample, complete and inspect every kind of model"
for kind in pixel_cnn gated_pixel_cnn spatial_lstm row_lstm diagonal_bilstm; do
  train "$kind" "$kind.st" --steps 1 --threads 1 >/dev/null
  "$tool" evaluate --model "$kind.st" --data test.idx --json before.json >/dev/null
  train "$kind" "$kind.st" --epochs 2 --threads 2 --valid test.idx --log "$kind.csv" --json - \
    >train.json 2>train.txt
  json train.json steps finished train_nats_per_image binarization validation_nats_per_image \
    validation_binarization parameters
  test "$(value train.json steps)" -eq 16 || fail "$kind: 60 images are 8 steps an epoch"
  test "$(grep -c '^step,' "$kind.csv")" -eq 16 || fail "$kind: the log has not every step"
  grep -q '^epoch 2/2 ' train.txt || fail "$kind: no line for the second epoch"

  "$tool" evaluate --model "$kind.st" --data test.idx --baseline train.idx.gz --json - \
    >after.json 2>/dev/null
  json after.json nats_per_image bits_per_dim images binarization independent_pixels_nats_per_image
  less "$(value after.json nats_per_image)" "$(value before.json nats_per_image)" ||
    fail "$kind: training did not help"

  for sampler in cached full; do
    "$tool" sample --model "$kind.st" --count 2 --seed 5 --sampler $sampler --out $sampler.png \
      >/dev/null
  done
  is_png cached.png
  cmp -s cached.png full.png || fail "$kind: the two samplers differ"
  "$tool" sample --model "$kind.st" --count 2 --seed 6 --out cached.png --show >shown.txt
  ! cmp -s cached.png full.png || fail "$kind: seeds 5 and 6 give the same images"
  test "$(wc -l <shown.txt)" -gt 14 || fail "$kind: --show shows nothing"

  "$tool" complete --model "$kind.st" --data test.idx --keep-rows 14 --count 2 --variants 2 \
    --json completed.json --out completed.png >/dev/null
  is_png completed.png
  json completed.json images seconds ms_per_image

  "$tool" inspect --model "$kind.st" --json - >inspected.json 2>inspected.txt
  json inspected.json parameters flops_per_image receptive_field_pixels
  grep -q '@' inspected.txt || fail "$kind: no drawing of the receptive field"
done

! cmp -s row_lstm.csv diagonal_bilstm.csv || fail "two kinds of models are one"
grep -q '"model": "row_lstm"' inspected.json && fail "a diagonal_bilstm calls itself row_lstm"

# columns FILE TRAIN VALIDATION: each line of the log has as many as its first, and names them.
columns() {
  awk -F, -v train="$2" -v validation="$3" '
    NR == 1 { columns = NF; right = $4 == "nats_per_image" && $5 == "binarization"; next }
    NF != columns || $5 != ($1 == "validation" ? validation : train) { print "wrong: " $0; right = 0 }
    $1 == "event" { print "a second first line"; right = 0 }
    END { exit !right }' "$1" || fail "$1 does not name the binarisation: $(head -n 2 "$1")"
}

echo "== a mixture in place of a softmax, kept by the file and by --resume"
train gated_pixel_cnn mixture.st --binarize none --mixture 3 --kernel 5 --first-kernel 5 >/dev/null
"$tool" inspect --model mixture.st --json - 2>/dev/null | grep -q '"logistic_mixture256x3"' ||
  fail "a mixture of 3 is not one"
"$tool" evaluate --model mixture.st --data test.idx --json once.json >/dev/null
train gated_pixel_cnn resumed.st --binarize none --mixture 3 --kernel 5 --first-kernel 5 --steps 3 \
  >/dev/null
"$tool" train --data train.idx.gz --resume resumed.st --steps 8 --out resumed.st >/dev/null
"$tool" evaluate --model resumed.st --data test.idx --json again.json >/dev/null
test "$(value once.json nats_per_image)" = "$(value again.json nats_per_image)" ||
  fail "a resumed mixture is another one"
"$tool" sample --model mixture.st --count 2 --temperature 0.8 --out mixture.png >/dev/null
is_png mixture.png
refused() {
  if "$tool" train --data train.idx.gz --out no.st "$@" >refused.txt 2>&1; then fail "taken: $*"; fi
}
refused --model gated_pixel_cnn --skip
refused --model gated_pixel_cnn --kernel 4
refused --mixture 65

echo "== the binarisation is named beside every likelihood"
columns row_lstm.csv "threshold(128)" "threshold(128)"
rm -f dynamic.csv
train pixel_cnn dynamic.st --steps 5 --epochs 2 --binarize dynamic --binarize-seed 7 \
  --valid test.idx --log dynamic.csv >/dev/null
"$tool" train --data train.idx.gz --resume dynamic.st --out dynamic.st --valid test.idx \
  --log dynamic.csv --json dynamic.json >dynamic.txt
# What is drawn afresh for each epoch of the training is drawn once for the validation.
columns dynamic.csv "dynamic(7)" "stochastic(7)"
test "$(grep -c '^step,' dynamic.csv)" -eq 16 || fail "the log is not that of both runs"
line='epoch 2/2  train [0-9.]+ nats, dynamic\(7\)  validation [0-9.]+ nats, stochastic\(7\)  .*'
grep -Eqx "$line" dynamic.txt || fail "the line of an epoch: $(cat dynamic.txt)"
grep -q '"binarization": "dynamic(7)"' dynamic.json || fail "training: $(cat dynamic.json)"
grep -q '"validation_binarization": "stochastic(7)"' dynamic.json ||
  fail "validation: $(cat dynamic.json)"
"$tool" evaluate --model dynamic.st --data test.idx --baseline train.idx.gz >evaluated.txt
test "$(grep -c ' nats/image .* binarization stochastic(7)$' evaluated.txt)" -eq 2 ||
  fail "evaluation: $(cat evaluated.txt)"

echo "== complete what a mask leaves; grey levels; folders of PNG"
train pixel_cnn grey.st --steps 2 --binarize none --levels 16 >/dev/null
"$tool" sample --model grey.st --count 1 --columns 1 --temperature 0 --out grey.png >/dev/null
is_png grey.png
"$tool" sample --model pixel_cnn.st --count 1 --columns 1 --out mask.png >/dev/null
"$tool" complete --model pixel_cnn.st --data test.idx --count 2 --keep-mask mask.png \
  --out masked.png >/dev/null
is_png masked.png
# Who asks for no number gets eight, or what there is.
"$tool" complete --model pixel_cnn.st --data test.idx --first 17 --keep-rows 14 --variants 1 \
  --json rest.json --out rest.png >/dev/null
test "$(value rest.json images)" -eq 3 || fail "the last three images: $(cat rest.json)"
mkdir pictures
cp mask.png pictures/a.png
cp mask.png pictures/b.png
"$tool" evaluate --model pixel_cnn.st --data pictures --json pictures.json >/dev/null
test "$(value pictures.json images)" -eq 2 || fail "a folder of two PNG files has not two images"

echo "== what is made of an image does not depend on how many are taken with it"
# Two images of 28 x 28: one of level 10, one of level 200.
{
  printf '\000\000\010\003\000\000\000\002\000\000\000\034\000\000\000\034'
  head -c 784 /dev/zero | tr '\000' '\012'
  head -c 784 /dev/zero | tr '\000' '\310'
} >dark.idx
# nats MODEL ARGUMENT...: those of an image of dark.idx.
nats() {
  evaluated=$1
  shift
  rm -f nats.json
  "$tool" evaluate --model "$evaluated" --data dark.idx --json nats.json "$@" >/dev/null ||
    fail "evaluate $evaluated $*"
  value nats.json nats_per_image
}
for name in grey.st pixel_cnn.st; do
  first=$(nats $name --limit 1) second=$(nats $name --first 1) both=$(nats $name)
  less "(($first + $second) / 2 - $both) ^ 2" 1e-6 ||
    fail "$name: $first and $second, together $both"
done
# Black is black, whatever it is read as.
{
  printf '\000\000\010\003\000\000\000\001\000\000\000\034\000\000\000\034'
  head -c 784 /dev/zero
} >dark.idx
for name in grey.st pixel_cnn.st; do nats $name >/dev/null; done

echo "== benchmark"
"$tool" benchmark --model row_lstm --layers 1 --hidden 4 --head 4 --image 8x9x1 --batch-size 2 \
  --repeats 2 --threads 1 --json - >benchmark.json 2>/dev/null
json benchmark.json forward_ms train_step_ms sample_ms_per_image useful_gflops_forward \
  useful_gflops_train fma_peak_gflops forward_percent_of_peak train_percent_of_peak \
  sample_percent_of_peak

echo "== a resumed training equals one without a break, also with another number of threads"
train diagonal_bilstm whole.st --epochs 2 --average-decay 0.9 --threads 1 >/dev/null
train diagonal_bilstm part.st --epochs 2 --average-decay 0.9 --steps 11 --threads 2 >/dev/null
! cmp -s whole.st part.st || fail "11 steps equal 16"
"$tool" train --data train.idx.gz --resume part.st --threads 2 --out part.st >/dev/null
cmp whole.st part.st || fail "resumed, it is another model"

echo "== a batch larger than all images is one batch; 010 is ten"
step="train --data train.idx.gz --layers 1 --hidden 4 --head 4 --learning-rate 0.02 --steps 1"
# The list of words is meant to be split.
# shellcheck disable=SC2086
{
  "$tool" $step --batch-size 60 --out all.st >/dev/null
  "$tool" $step --batch-size 1000000000000 --out huge.st >/dev/null
}
for batch in 60 1000000000000; do
  for name in all huge; do
    "$tool" evaluate --model $name.st --data test.idx --batch-size $batch --json $name.json \
      >/dev/null
  done
  test "$(value all.json nats_per_image)" = "$(value huge.json nats_per_image)" ||
    fail "a huge batch is not one of all 60 images"
done
"$tool" sample --model pixel_cnn.st --count 010 --out ten.png >ten.txt
grep -q ' 10 images' ten.txt || fail "--count 010: $(cat ten.txt)"

echo "== generated images have figures too"
"$tool" shapes --out five.idx --count 5 --seed 7 --json - >shapes.json
json shapes.json images seed out
test "$(value shapes.json images)" -eq 5 || fail "shapes --count 5: $(cat shapes.json)"

echo "== the version"
"$tool" --version >version.txt
grep -Eqx 'pixelrnn [0-9]+\.[0-9]+\.[0-9]+' version.txt || fail "--version: $(cat version.txt)"

finish
