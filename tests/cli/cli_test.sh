#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_test.sh TOOL FOLDER: the command line tool TOOL from generated images to completed ones, in
# FOLDER. A resumed training must equal one without a break to the bit, and what is wrong must be
# refused in one line.
set -eu
tool=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# json FILE KEY...: FILE is one JSON object that has every KEY with a value.
json() {
  file=$1
  shift
  test "$(head -c 1 "$file")" = '{' || fail "$file does not begin with {: $(head -n 1 "$file")"
  test "$(tail -n 1 "$file")" = '}' || fail "$file does not end with }"
  for key in "$@"; do
    grep -q "\"$key\": [^n]" "$file" || fail "$file has no $key"
  done
}

# value FILE KEY: the number of a JSON file.
value() { sed -n "s/^ *\"$2\": \([-0-9.e]*\),*\$/\1/p" "$1"; }

# less A B: a < b, as numbers.
less() { awk "BEGIN { exit !($1 < $2) }"; }

is_png() {
  test "$(od -An -tx1 -N4 "$1" | tr -d ' ')" = 89504e47 || fail "$1 is no PNG file"
}

# refused TEXT ARGUMENT...: the tool fails and says TEXT in one line, to the standard error alone.
refused() {
  text=$1
  shift
  if "$tool" "$@" >refused.out 2>refused.err; then
    fail "accepted: $*"
  elif test "$(wc -l <refused.err)" -ne 1 || test -s refused.out; then
    fail "not one line: $*: $(cat refused.out refused.err)"
  elif ! grep -qF -- "$text" refused.err; then
    fail "does not name '$text': $*: $(cat refused.err)"
  fi
}

"$tool" shapes --out train.idx.gz --count 60 --seed 1
"$tool" shapes --out test.idx --count 20 --seed 2
"$tool" shapes --out other.idx --count 40 --seed 3

# train KIND OUT ARGUMENT...: a tiny model.
train() {
  kind=$1 out=$2
  shift 2
  "$tool" train --data train.idx.gz --model "$kind" --layers 1 --hidden 4 --head 4 \
    --batch-size 8 --learning-rate 0.02 --seed 3 --out "$out" "$@"
}

echo "== train, evaluate, sample, complete and inspect every kind of model"
for kind in pixel_cnn row_lstm diagonal_bilstm; do
  train "$kind" "$kind.st" --steps 1 --threads 1 >/dev/null
  "$tool" evaluate --model "$kind.st" --data test.idx --json before.json >/dev/null
  train "$kind" "$kind.st" --epochs 2 --threads 2 --valid test.idx --log "$kind.csv" --json - \
    >train.json 2>train.txt
  json train.json steps finished train_nats_per_image validation_nats_per_image parameters
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

echo "== complete what a mask leaves; grey levels; folders of PNG"
train pixel_cnn grey.st --steps 2 --binarize none --levels 16 >/dev/null
"$tool" sample --model grey.st --count 1 --columns 1 --temperature 0 --out grey.png >/dev/null
is_png grey.png
"$tool" sample --model pixel_cnn.st --count 1 --columns 1 --out mask.png >/dev/null
"$tool" complete --model pixel_cnn.st --data test.idx --count 2 --keep-mask mask.png \
  --out masked.png >/dev/null
is_png masked.png
mkdir pictures
cp mask.png pictures/a.png
cp mask.png pictures/b.png
"$tool" evaluate --model pixel_cnn.st --data pictures --json pictures.json >/dev/null
test "$(value pictures.json images)" -eq 2 || fail "a folder of two PNG files has not two images"

echo "== benchmark"
"$tool" benchmark --model row_lstm --layers 1 --hidden 4 --head 4 --image 8x9x1 --batch-size 2 \
  --repeats 2 --threads 1 --json - >benchmark.json 2>/dev/null
json benchmark.json forward_ms train_step_ms sample_ms_per_image useful_gflops_forward \
  useful_gflops_train fma_peak_gflops

echo "== a resumed training equals one without a break, also with another number of threads"
train diagonal_bilstm whole.st --epochs 2 --average-decay 0.9 --threads 1 >/dev/null
train diagonal_bilstm part.st --epochs 2 --average-decay 0.9 --steps 11 --threads 2 >/dev/null
! cmp -s whole.st part.st || fail "11 steps equal 16"
"$tool" train --data train.idx.gz --resume part.st --threads 2 --out part.st >/dev/null
cmp whole.st part.st || fail "resumed, it is another model"

echo "== an interrupt leaves a checkpoint to go on from"
# The options of train(), which in the background would be a shell of its own between us and it.
"$tool" train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --head 4 --batch-size 8 \
  --learning-rate 0.02 --seed 3 --out stopped.st --epochs 9999 --checkpoint-every 1 --threads 1 \
  --json stopped.json >stopped.txt 2>&1 &
job=$!
tries=0
until test -e stopped.st || test $tries -ge 100; do
  sleep 0.1
  tries=$((tries + 1))
done
kill -INT $job
status=0
wait $job || status=$?
test $status -eq 130 || fail "interrupted, it ends with $status: $(cat stopped.txt)"
grep -qF -- '--resume stopped.st' stopped.txt || fail "it does not say how to resume"
"$tool" evaluate --model stopped.st --data test.idx >/dev/null || fail "the checkpoint is of no use"
steps=$(($(value stopped.json steps) + 3))
train pixel_cnn stopped.st --epochs 9999 --resume stopped.st --steps $steps >/dev/null
train pixel_cnn straight.st --epochs 9999 --steps $steps >/dev/null
cmp stopped.st straight.st || fail "interrupted and resumed, it is another model"

echo "== what is wrong is refused in one line"
head -c 300 pixel_cnn.st >short.st
head -c 100 train.idx.gz >short.idx.gz
echo "no model, no image" >text
data="--data test.idx"
model="--model pixel_cnn.st"
# The lists of words are meant to be split.
# shellcheck disable=SC2086
{
  refused subcommand
  refused fly fly
  refused --data train --out x.st
  refused --wings train $data --out x.st --wings 2
  refused --model train $data --out x.st --model transformer
  refused --layers train $data --out x.st --layers two
  refused layers train $data --out x.st --layers 0
  refused hidden train $data --out x.st --hidden -3
  refused --epochs train $data --out x.st --epochs 0
  refused --batch-size train $data --out x.st --batch-size 0
  refused --levels train $data --out x.st --binarize none --levels 3
  refused --levels train $data --out x.st --binarize threshold --levels 4
  refused rate train $data --out x.st --learning-rate -1
  refused momentum train $data --out x.st --momentum 0.9
  refused padded_scan train $data --out x.st --model row_lstm --initial-state padded_scan
  refused nowhere train --data nowhere --out x.st
  refused text train --data text --out x.st
  refused short.idx.gz train --data short.idx.gz --out x.st
  refused missing/x.st train $data --out missing/x.st
  refused "same data" train --data other.idx --resume part.st --out x.st
  refused short.st train --data train.idx.gz --resume short.st --out x.st
  refused nowhere evaluate --model nowhere $data
  refused short.st evaluate --model short.st $data
  refused text evaluate --model text $data
  refused "from number 20" evaluate $model $data --first 20
  refused completed.png evaluate $model --data test.idx completed.png
  refused 28x28 evaluate $model --data completed.png
  refused --out sample $model
  refused missing sample $model --count 1 --out missing/x.png
  refused --temperature sample $model --temperature -1 --out x.png
  refused --count sample $model --count 0 --out x.png
  refused --keep complete $model $data --out x.png
  refused --keep complete $model $data --keep-rows 3 --keep-mask mask.png --out x.png
  refused 29 complete $model $data --keep-rows 29 --out x.png
  refused completed.png complete $model $data --keep-mask completed.png --out x.png
  refused text inspect --model text
  refused 3x benchmark --image 3x
  refused missing evaluate $model $data --json missing/x.json
}
test ! -e x.st || fail "a training that was refused has written a file"

test $failures -eq 0 && echo "all passed"
