#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_refuses_test.sh TOOL FOLDER: what is wrong must be refused by the command line tool TOOL in
# one line, before it costs anything that was there. Works in FOLDER.
set -eu
. "$(dirname "$0")/helpers.sh"

"$tool" shapes --out other.idx --count 40 --seed 3
train pixel_cnn pixel_cnn.st --epochs 1 >/dev/null
train pixel_cnn part.st --epochs 2 --steps 11 >/dev/null
"$tool" sample --model pixel_cnn.st --count 1 --columns 1 --out mask.png >/dev/null
"$tool" complete --model pixel_cnn.st --data test.idx --keep-rows 14 --count 2 --variants 2 \
  --out completed.png >/dev/null
mkdir pictures
cp mask.png pictures/a.png
head -c 300 pixel_cnn.st >short.st
head -c 100 train.idx.gz >short.idx.gz
echo "no model, no image" >text
ln -s test.idx link.idx
columns=event,step,epoch,nats_per_image,gradient_norm,images_per_second,seconds
printf '%s\nstep,1,1,320.5,9.1,800.00,0.020\n' $columns >old.csv
mkdir before
cp -R -- *.* pictures text before

data="--data test.idx"
model="--model pixel_cnn.st"
# The lists of words are meant to be split.
# shellcheck disable=SC2086
{
  echo "== what is wrong is refused in one line"
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
  refused --levels train $data --out x.st --binarize none --levels 257
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
  refused "--count is 21, but from image --first 0 on (counted from 0) the data have only 20" \
    complete $model $data --keep-rows 14 --count 21 --out x.png
  refused "--count is 4, but from image --first 17 on (counted from 0) the data have only 3" \
    complete $model $data --keep-rows 14 --first 17 --count 4 --out x.png
  refused completed.png complete $model $data --keep-mask completed.png --out x.png
  refused text inspect --model text
  refused 3x benchmark --image 3x
  for image in 4097x4096x1 16777217x1x1 99999999999x99999999999x1 28x0x1 28x28x-1; do
    refused "--image is $image, expected 1 to 2^24 sub-pixels" benchmark --image $image
  done
  refused missing evaluate $model $data --json missing/x.json
  refused --valid train $data --out x.st --valid-limit 3
  refused --baseline evaluate $model $data --baseline-limit 3

  echo "== numbers that are none"
  for word in -1 0x10 2.5 '' 18446744073709551617; do
    for option in limit valid-limit epochs steps batch-size warmup seed threads checkpoint-every \
      layers hidden head threshold binarize-seed; do
      refused "--$option: $word, expected a whole number" train $data --valid test.idx \
        --out x.st --$option "$word"
    done
    for option in first limit baseline-limit batch-size threshold binarize-seed threads; do
      refused "--$option: $word, expected a whole number" evaluate $model $data \
        --baseline test.idx --$option "$word"
    done
    for option in count first columns seed threads; do
      refused "--$option: $word, expected a whole number" sample $model --out x.png \
        --$option "$word"
    done
    for option in count first variants keep-rows seed; do
      refused "--$option: $word, expected a whole number" complete $model $data --out x.png \
        --$option "$word"
    done
    for option in batch-size repeats threads layers hidden head; do
      refused "--$option: $word, expected a whole number" benchmark --$option "$word"
    done
  done
  # What fits 64 bits, and is more than anything can be counted to.
  refused --batch-size train $data --out x.st --batch-size 9223372036854775807
  refused --epochs train $data --out x.st --epochs 9223372036854775807
  refused --threads train $data --out x.st --threads 1000000
  for word in -1 nan inf '' one; do
    for option in learning-rate momentum clip-norm average-decay dropout; do
      refused "--$option: $word, expected a number" train $data --out x.st --$option "$word"
    done
    refused "--temperature: $word, expected a number" sample $model --out x.png \
      --temperature "$word"
  done

  echo "== names of files that are none"
  empty="the name of the file is empty"
  refused "--out: $empty" train $data --out ""
  refused "--resume: $empty" train $data --out x.st --resume ""
  refused "--log: $empty" train $data --out x.st --log ""
  refused "--json: $empty" train $data --out x.st --json ""
  refused "--out: $empty" sample $model --out ""
  refused "--out: $empty" complete $model $data --keep-rows 14 --out ""
  refused "--out: $empty" shapes --out ""
  refused "--json: $empty" evaluate $model $data --json ""
  refused "--json: $empty" shapes --out x.idx --json ""
  refused 'cannot open the folder of "missing/x.json"' shapes --out x.idx --json missing/x.json
  refused 'cannot open the folder of "missing/x.csv"' train $data --out x.st --log missing/x.csv
  refused 'cannot open the folder of "missing/x.json"' train $data --out x.st --json missing/x.json

  refused "--first-kernel is 10001, --kernel 0, expected at most 64 for images 28x28x1" train $data \
    --model gated_pixel_cnn --first-kernel 10001 --out x.st
  refused "--initial-state padded_scan is of diagonal_bilstm" train $data --model spatial_lstm \
    --initial-state padded_scan --out x.st
  refused "of blocks with an LSTM" train $data --model pixel_cnn --initial-state zero --out x.st
  refused "0 or more, below 1" train $data --dropout 1 --out x.st
  refused "--warmup is 2, expected less than the 2 steps" train $data --schedule cosine --warmup 2 \
    --steps 2 --out x.st
  refused "expected a name that ends in .npy or .png" evaluate --model part.st --data test.idx --nats-map x.jpg

  echo "== a log of other columns is not appended to"
  part="--resume part.st --out x.st"
  refused 'the log old.csv does not begin with "event,step,epoch,nats_per_image,bina' \
    train --data train.idx.gz $part --log old.csv
  refused "cannot go on with it; choose another --log" train --data train.idx.gz $part --log text

  echo "== what is read, or written already, is not overwritten"
  refused "--out would overwrite test.idx, which is --data too" train $data --out test.idx
  refused "--out would overwrite ./test.idx" train $data --out ./test.idx
  refused "--out would overwrite $PWD/test.idx" train $data --out "$PWD/test.idx"
  refused "--out would overwrite link.idx" train $data --out link.idx
  refused "--out would overwrite test.idx" train --data link.idx --out test.idx
  refused "--out would overwrite test.idx" train --data other.idx test.idx --out test.idx
  refused "test.idx, which is --valid too" train --data other.idx --valid test.idx --out test.idx
  refused "--log would overwrite test.idx, which is --data too" train $data --out x.st \
    --log test.idx
  refused "--json would overwrite link.idx" train $data --out x.st --json link.idx
  refused "--json would overwrite x.st, which is --out too" train $data --out x.st --json x.st
  refused "--json would overwrite x.idx, which is --out too" shapes --out x.idx --json x.idx
  refused "--log would overwrite ./x.st, which is --out too" train $data --out x.st --log ./x.st
  refused "--json would overwrite x.csv, which is --log too" train $data --out x.st --log x.csv \
    --json x.csv
  refused "--log would overwrite part.st, which is --resume too" train $data --resume part.st \
    --out x.st --log part.st
  refused "--json would overwrite part.st, which is --resume too" train $data --resume part.st \
    --out x.st --json part.st
  refused "--out would overwrite pixel_cnn.st, which is --model too" sample $model \
    --out pixel_cnn.st
  refused "--json would overwrite x.png, which is --out too" sample $model --out x.png --json x.png
  refused "--out would overwrite ./mask.png, which is --keep-mask too" complete $model $data \
    --keep-mask mask.png --out ./mask.png
  refused "--out would overwrite mask.png, which is --data too" complete $model --data mask.png \
    --keep-rows 14 --out mask.png
  refused "--out would overwrite pictures/a.png, which is --data too" complete $model \
    --data pictures --keep-rows 14 --out pictures/a.png
  refused "--json would overwrite pixel_cnn.st" evaluate $model $data --json pixel_cnn.st
  refused "--json would overwrite link.idx" evaluate $model $data --json link.idx
  refused "test.idx, which is --baseline too" evaluate $model --data other.idx \
    --baseline test.idx --json test.idx
  refused "--json would overwrite pixel_cnn.st" inspect $model --json pixel_cnn.st

  echo "== control characters do not reach the terminal"
  nasty=$(printf 'a\033[31m\302\233\177b\nc')
  refused 'a?[31m??b c' evaluate --model "$nasty" $data
  refused 'a?[31m??b c' evaluate $model $data "--$nasty"
  refused 'a?[31m??b c' "$nasty"
  refused 'a?[31m??b c' benchmark --image "$nasty"
  refused 'a?[31m??b' train $data --out x.st --optimizer "$nasty"
  # Words of a file, which its header escapes; of the same length, so that the header stays right.
  LC_ALL=C sed 's/threshold(128)/\\u001b[31mRED!/' part.st >hostile.st
  cmp -s hostile.st part.st && fail "no hostile word was written"
  refused '?[31mRED!' train --data train.idx.gz --resume hostile.st --out x.st
  LC_ALL=C sed 's/"option.batch-size":"8"/"option.batch-size":"0"/' part.st >hostile.st
  cmp -s hostile.st part.st && fail "no hostile word was written"
  refused 'option.batch-size is "0", which --batch-size does not take' train \
    --data train.idx.gz --resume hostile.st --out x.st
}
LC_ALL=C sed 's/threshold(128)/\\u001b[31mRED!/' part.st >hostile.st
"$tool" inspect --model hostile.st >hostile.txt
grep -qF '?[31mRED!' hostile.txt || fail "inspect does not show the word: $(cat hostile.txt)"
tame hostile.txt

# CMake says which sanitizer the tool was built with, if any.
sanitizer=${PIXELRNN_SANITIZE:-}
if test -n "$sanitizer"; then
  # It ends a program that asks for more than there is, where operator new would throw.
  echo "(what memory does not suffice for is not tested under the sanitizer $sanitizer)"
else
  echo "== what memory does not suffice for"
  # The list of words is meant to be split.
  # shellcheck disable=SC2086
  refused "not enough memory; try less of --count, --height, --width, --threads" sample $model \
    --count 1000000000000 --out x.png
  refused "memory; try less of --image, --batch-size, --threads, --layers, --hidden" \
    benchmark --layers 1 --batch-size 1000000000000
fi

echo "== a small file that promises a huge image costs nothing"
huge='s/"image":"28x28x1"/"image":"4096x4096x1"/; s/threshold(128)/threshold(/'
LC_ALL=C sed "$huge; s/\"fingerprint\":/\"f1ngerprint\":/" part.st >huge.st
LC_ALL=C sed "$huge" part.st >other.st
test "$(wc -c <huge.st)" -eq "$(wc -c <part.st)" || fail "the header of huge.st is not as long"
(
  if test -n "$sanitizer"; then
    # It takes terabytes of addresses for itself.
    echo "(the memory of inspect is not limited under the sanitizer $sanitizer)"
  else
    # shellcheck disable=SC3045
    ulimit -v 2000000
  fi
  refused "a logit is" inspect --model other.st
  "$tool" inspect --model huge.st --json huge.json >huge.txt 2>&1
) || fail "inspect: $(cat huge.txt)"
grep -q '^receptive field: not looked for in images of more than 16384 sub-pixels' huge.txt ||
  fail "inspect does not say what it leaves out: $(cat huge.txt)"
json huge.json parameters flops_per_image

cp part.st "$nasty"
"$tool" train --data train.idx.gz --resume "$nasty" --out "$nasty" >hostile.txt
tame hostile.txt
grep -qF 'wrote a?[31m??b?c after 16 steps' hostile.txt || fail "$(cat hostile.txt)"
"$tool" sample --model pixel_cnn.st --count 1 --out "$nasty" >hostile.txt
tame hostile.txt

for name in x.*; do
  test ! -e "$name" || fail "what was refused has written $name"
done
for name in before/*; do
  diff -r "$name" "${name#before/}" >/dev/null || fail "what was refused has changed ${name#before/}"
done

echo "== a training that diverges says where, and leaves the last checkpoint"
sgd="--optimizer sgd --epochs 9"
# shellcheck disable=SC2086
train pixel_cnn wild.st $sgd --steps 2 >/dev/null
cp wild.st tame.st
status=0
"$tool" train --data train.idx.gz --resume wild.st --out wild.st --learning-rate 1e20 \
  >wild.txt 2>wild.err || status=$?
test $status -eq 1 || fail "diverged, it ends with $status: $(cat wild.txt)"
test "$(wc -l <wild.err)" -eq 1 || fail "not one line: $(cat wild.err)"
grep -Eq 'step 4 \(epoch 1\) has loss (nan|inf); first not finite: MaskedConv2d \(operation [0-9]+\)' \
  wild.err || fail "it does not say where: $(cat wild.err)"
cmp wild.st tame.st || fail "the last checkpoint is not what it was"
# One step an epoch: the validation is the first to see what the step has done.
wild="train --data train.idx.gz --layers 1 --hidden 4 --batch-size 60 --optimizer sgd
  --learning-rate 1e20 --out wild.st"
status=0
# shellcheck disable=SC2086
"$tool" $wild --valid test.idx >wild.txt 2>wild.err || status=$?
test $status -eq 1 || fail "diverged, it ends with $status: $(cat wild.txt)"
test "$(wc -l <wild.err)" -eq 1 || fail "not one line: $(cat wild.err)"
grep -q 'epoch 1 ends with a validation loss of nan' wild.err || fail "validation: $(cat wild.err)"
cmp wild.st tame.st || fail "the last checkpoint is not what it was"
# Without one the file's own check is: a model whose logits are no numbers is not kept.
status=0
# shellcheck disable=SC2086
"$tool" $wild >wild.txt 2>wild.err || status=$?
test $status -eq 1 || fail "diverged, it ends with $status: $(cat wild.txt)"
grep -q 'training diverged; "wild.st" is left as it was' wild.err || fail "saved: $(cat wild.err)"
cmp wild.st tame.st || fail "the last checkpoint is not what it was"

finish
