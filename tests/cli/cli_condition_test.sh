#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_condition_test.sh TOOL FOLDER: models that are told the class of an image, and models that go
# through images in another order, from training to drawing. Works in FOLDER.
set -eu
. "$(dirname "$0")/helpers.sh"

# 20 images of 6 x 6, black (class 0) and white (class 1) by turns, and their labels.
{
  printf '\000\000\010\003\000\000\000\024\000\000\000\006\000\000\000\006'
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    head -c 36 /dev/zero
    head -c 36 /dev/zero | tr '\000' '\377'
  done
} >two.idx
{
  printf '\000\000\010\001\000\000\000\024'
  for _ in 1 2 3 4 5 6 7 8 9 10; do printf '\000\001'; done
} >labels.idx

# fit OUT ARGUMENT...
fit() {
  out=$1
  shift
  "$tool" train --layers 1 --hidden 4 --head 8 --batch-size 4 --learning-rate 0.03 --threads 1 \
    --data two.idx --out "$out" "$@" >fit.txt || fail "train $*"
}

echo "== what it is told decides what it draws"
fit told.st --model diagonal_bilstm --labels labels.idx --condition class --epochs 40
grep -q "told which of 2 classes" fit.txt || fail "training does not say what it is told: $(cat fit.txt)"
"$tool" inspect --model told.st >inspected.txt
grep -Eqx "condition +2 classes in 16 channels" inspected.txt || fail "inspect does not say what it is told"
for class in 0 1; do
  "$tool" sample --model told.st --class $class --count 4 --seed 3 --out class$class.png >drawn.txt
  is_png class$class.png
  "$tool" sample --model told.st --class $class --count 4 --seed 3 --sampler full --out full.png \
    >drawn.txt
  cmp -s class$class.png full.png || fail "class $class: the two samplers differ"
done
cmp -s class0.png class1.png && fail "both classes look alike"
# By turns if none is asked for: image i is the same whether or not the others are asked for.
"$tool" sample --model told.st --count 1 --seed 3 --out first.png >/dev/null
"$tool" sample --model told.st --count 1 --seed 3 --class 0 --out black.png >/dev/null
cmp -s first.png black.png || fail "image 0 is not of class 0"
"$tool" sample --model told.st --count 1 --first 1 --seed 3 --out second.png >/dev/null
"$tool" sample --model told.st --count 1 --first 1 --seed 3 --class 1 --out white.png >/dev/null
cmp -s second.png white.png || fail "image 1 is not of class 1"

echo "== p(class | image) by Bayes"
"$tool" evaluate --model told.st --data two.idx --labels labels.idx --classify --json told.json >/dev/null
json told.json nats_per_image nats_per_image_not_told accuracy
less 0.99 "$(value told.json accuracy)" || fail "does not tell black from white: $(cat told.json)"
less "$(value told.json nats_per_image)" 0.4 || fail "surprised though it was told: $(cat told.json)"
less "$(value told.json nats_per_image)" "$(value told.json nats_per_image_not_told)" ||
  fail "not to be told costs nothing"
"$tool" evaluate --model told.st --data two.idx --classify --json untold.json >/dev/null
test "$(value untold.json nats_per_image)" = "$(value told.json nats_per_image_not_told)" ||
  fail "without labels p(x) is another: $(cat untold.json)"

echo "== weights go to another program and come back"
"$tool" inspect told.st | awk '/ x .* x /{ print $1, $1 }' >names.txt
"$tool" export --model told.st --names names.txt --out theirs.safetensors >/dev/null
"$tool" import --from theirs.safetensors --names names.txt --image 6x6x1 --layers 1 --hidden 4 --head 8 \
  --classes 2 --out back.st >/dev/null
"$tool" evaluate --model back.st --data two.idx --labels labels.idx --json back.json >/dev/null
test "$(value back.json nats_per_image)" = "$(value told.json nats_per_image)" ||
  fail "a model that is told classes comes back as $(cat back.json)"

echo "== completions are of the class that is told"
"$tool" complete --model told.st --data two.idx --labels labels.idx --keep-rows 0 --count 2 \
  --variants 1 --seed 3 --out told.png >/dev/null
"$tool" complete --model told.st --data two.idx --class 0 --keep-rows 0 --count 2 --variants 1 \
  --seed 3 --out black.png >/dev/null
is_png told.png
cmp -s told.png black.png && fail "a white image is completed as a black one"

echo "== a training that is resumed is told the same"
fit once.st --model pixel_cnn --labels labels.idx --condition class --epochs 2 --seed 7
fit begun.st --model pixel_cnn --labels labels.idx --condition class --epochs 1 --seed 7
fit begun.st --labels labels.idx --resume begun.st --epochs 2
"$tool" evaluate --model once.st --data two.idx --labels labels.idx --json once.json >/dev/null
"$tool" evaluate --model begun.st --data two.idx --labels labels.idx --json begun.json >/dev/null
test "$(value once.json nats_per_image)" = "$(value begun.json nats_per_image)" ||
  fail "resumed: $(value begun.json nats_per_image), at once: $(value once.json nats_per_image)"

{ head -c 8 labels.idx && tail -c 20 labels.idx | tr '\000\001' '\001\000'; } >turned.idx
refused "trained with data.labels" train --data two.idx --labels turned.idx --resume begun.st --epochs 3 \
  --out x.st

echo "== what cannot be told is refused"
{ printf '\000\000\010\001\000\000\000\003\000\001\001'; } >three.idx
refused "there are 3 labels, expected 20" evaluate --model told.st --data two.idx --labels three.idx --limit 2
{ head -c 8 labels.idx && tail -c 20 labels.idx | tr '\001' '\007'; } >seven.idx
refused "image 3 of the data (counted from 0) has label 7, expected 0 to 1" evaluate --model told.st \
  --data two.idx --labels seven.idx --first 2
refused "--condition class needs the labels of the images of --data; give them as --labels" \
  train --data two.idx --condition class --out x.st
refused "--condition class needs the labels of the images of --valid; give them as --valid-labels" \
  train --data two.idx --labels labels.idx --valid two.idx --condition class --out x.st
refused "--classes" train --data two.idx --labels labels.idx --condition class --classes 1 --out x.st
refused "the model is told the class of an image; give --labels, or --classify" \
  evaluate --model told.st --data two.idx
refused "the model is told the class of an image; give --labels or --class" \
  complete --model told.st --data two.idx --keep-rows 3 --out x.png
refused "--class is 2, expected 0 to 1" sample --model told.st --class 2 --out x.png
fit plain.st --model pixel_cnn --epochs 1
refused "is told no classes" sample --model plain.st --class 1 --out x.png
refused "--classify needs a model that is told classes" \
  evaluate --model plain.st --data two.idx --classify

echo "== another order of the pixels"
fit below.st --model row_lstm --orientation "columns from below" --epochs 1
"$tool" inspect --model below.st >inspected.txt
grep -Eqx "orientation +columns from below" inspected.txt || fail "inspect does not say the order"
"$tool" sample --model below.st --count 2 --seed 4 --out cached.png >/dev/null
"$tool" sample --model below.st --count 2 --seed 4 --sampler full --out full.png >/dev/null
cmp -s cached.png full.png || fail "from below the two samplers differ"
fit below.st --resume below.st --epochs 2
"$tool" inspect --model below.st | grep -Eqx "orientation +columns from below" ||
  fail "a resumed training forgets the order"
refused "--orientation" train --data two.idx --orientation diagonals --out x.st
echo "== told numbers of each image"
# What is told: whether the image is of the first class, as a number and its opposite.
{
  printf '\223NUMPY\1\0\166\0'
  printf "%-117s\n" "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 2), }"
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    printf '\0\0\200\77\0\0\200\277' # 1, -1
    printf '\0\0\200\277\0\0\200\77' # -1, 1
  done
} >told.npy
{
  printf '\223NUMPY\1\0\166\0'
  printf "%-117s\n" "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 1), }"
  head -c 240 /dev/zero
} >one.npy
"$tool" train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --epochs 1 --threads 1 \
  --condition maps --told told.npy --valid train.idx.gz --valid-told told.npy --out maps.st >maps.txt
grep -q "told 2 numbers" maps.txt || fail "training does not say what it is told: $(cat maps.txt)"
"$tool" inspect maps.st >inspected.txt
grep -Eqx 'condition +2 channels' inspected.txt || fail "no condition: $(cat inspected.txt)"
"$tool" evaluate --model maps.st --data train.idx.gz --told told.npy --json maps.json >/dev/null
"$tool" evaluate --model maps.st --data train.idx.gz --told told.npy --first 1 --limit 9 \
  --json part.json >/dev/null
test "$(value part.json images)" -eq 9 || fail "not nine images: $(cat part.json)"
"$tool" sample --model maps.st --told told.npy --count 4 --out maps.png >/dev/null
"$tool" sample --model maps.st --told told.npy --count 2 --first 2 --columns 2 --out later.png >/dev/null
is_png maps.png
# Told the opposite, all is another: the rows of the file from the second on, and then the first.
{
  head -c 128 told.npy
  tail -c +137 told.npy
  head -c 136 told.npy | tail -c 8
} >other.npy
"$tool" evaluate --model maps.st --data train.idx.gz --told other.npy --json other.json >/dev/null
test "$(value other.json nats_per_image)" != "$(value maps.json nats_per_image)" ||
  fail "what is told changes nothing: $(cat maps.json)"
# Images from number 1 on are told the rows from number 1 on.
"$tool" evaluate --model maps.st --data train.idx.gz --told told.npy --first 1 --limit 1 \
  --logits second.npy >/dev/null
"$tool" evaluate --model maps.st --data train.idx.gz --told told.npy --limit 2 --logits both.npy >/dev/null
test "$(tail -c 3136 both.npy | cksum)" = "$(tail -c 3136 second.npy | cksum)" ||
  fail "--first is told of other images"
"$tool" complete --model maps.st --data test.idx --told told.npy --keep-rows 9 --count 2 \
  --variants 1 --out completed.png >/dev/null
"$tool" train --data train.idx.gz --told told.npy --valid train.idx.gz --valid-told told.npy \
  --resume maps.st --epochs 2 --out maps.st >/dev/null
refused "give them as --told" evaluate --model maps.st --data train.idx.gz
refused "give them as --told" sample --model maps.st --count 1 --out none.png
refused "expected --condition maps with --told" train --data train.idx.gz --condition maps --out none.st
refused "expected --condition maps with --told" train --data train.idx.gz --told told.npy --out none.st
refused "give it as --valid-told" train --data train.idx.gz --condition maps --told told.npy \
  --valid train.idx.gz --out none.st
refused "tells of 60 images, expected 99" sample --model maps.st --told told.npy --count 99 --out none.png
refused "expected no --scale" train --data train.idx.gz --condition maps --told told.npy --scale 2 \
  --out none.st
refused "expected no --scale" train --data train.idx.gz --told told.npy --told-scale 2 --out none.st
refused "needs --condition maps" train --data train.idx.gz --valid train.idx.gz --valid-told told.npy \
  --out none.st
refused "trained with data.told" train --data train.idx.gz --told other.npy --valid train.idx.gz \
  --valid-told told.npy --resume maps.st --epochs 3 --out maps.st
cp told.npy kept.npy
refused "" sample --model maps.st --told kept.npy --count 1 --out kept.npy
cmp -s told.npy kept.npy || fail "what is told is overwritten"
refused "tells of 60 images" sample --model maps.st --told told.npy --count 1 \
  --first 18446744073709551615 --out none.png
refused "told.npy tells of 60 images, expected 20" evaluate --model maps.st --data test.idx --told told.npy
refused "has 1 numbers of an image or pixel, expected 2" evaluate --model maps.st --data train.idx.gz \
  --told one.npy
{ head -c 128 told.npy && printf '\0\0\300\177' && tail -c +133 told.npy; } >nan.npy
refused "nan.npy tells nan of image 0" evaluate --model maps.st --data train.idx.gz --told nan.npy
refused "does not begin with" evaluate --model maps.st --data train.idx.gz --told train.idx.gz
finish
