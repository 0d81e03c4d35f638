#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_models_test.sh TOOL FOLDER: model files as others use them: mixed, exported, known by name, of
# two scales, and pictures of how they were trained. Works in FOLDER.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/helpers.sh"

"$tool" train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --epochs 1 --threads 1 \
  --average-decay 0.9 --curve --out image.st >trained.txt

echo "== the curve of a training"
test "$(grep -c '|' trained.txt)" -eq 12 || fail "no curve of 12 lines: $(cat trained.txt)"
grep -q '\*' trained.txt || fail "an empty curve: $(cat trained.txt)"
# Its first and last label are its largest and its smallest mean.
labels=$(awk '/[0-9] \|/ { print $1 }' trained.txt)
less "$(echo "$labels" | tail -n 1)" "$(echo "$labels" | head -n 1)" || fail "labels: $labels"

echo "== models of two orders are mixed"
"$tool" train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --epochs 1 --threads 1 \
  --orientation "columns from below" --seed 4 --out columns.st >/dev/null
for name in image columns; do
  "$tool" evaluate --model $name.st --data test.idx --json $name.json >/dev/null
done
"$tool" evaluate --model image.st --mix-with columns.st --data test.idx --json both.json >/dev/null
# By Jensen's inequality.
mean=$(awk "BEGIN { print ($(value image.json nats_per_image) + $(value columns.json nats_per_image)) / 2 }")
less "$(value both.json nats_per_image)" "$mean" || fail "mixed: $(cat both.json), mean $mean"
"$tool" sample --model image.st --count 8 --seed 2 --out image.png >/dev/null
"$tool" sample --model image.st --mix-with columns.st --count 8 --seed 2 --out both.png >/dev/null
"$tool" sample --model image.st --mix-with image.st --count 8 --seed 2 --out twice.png >/dev/null
cmp -s image.png both.png && fail "nothing is drawn from the other model"
cmp -s image.png twice.png || fail "a model mixed with itself draws other images"
"$tool" train --data train.idx.gz --model pixel_cnn --binarize none --levels 4 --layers 1 --hidden 4 \
  --head 8 --epochs 1 --steps 1 --threads 1 --out grey.st >/dev/null
refused "--mix-with grey.st is a model of images" evaluate --model image.st --mix-with grey.st \
  --data test.idx
refused "are of one model, expected no --mix-with" evaluate --model image.st --mix-with columns.st \
  --data test.idx --nats-map map.npy

echo "== weights alone, known by name"
mkdir models
"$tool" export --model image.st --out models/small.safetensors >exported.txt
grep -q "parameters" exported.txt || fail "export says nothing: $(cat exported.txt)"
test "$(wc -c <models/small.safetensors)" -lt "$(wc -c <image.st)" || fail "export leaves nothing out"
export PIXELRNN_MODELS=models
"$tool" evaluate --model small --data test.idx --json small.json >/dev/null
refused "no model of this name in models, which has small" evaluate --model nobody --data test.idx
"$tool" inspect small.safetensors >/dev/null || fail "a name with its ending is not known"
(unset PIXELRNN_MODELS && "$tool" inspect mnist-row-lstm >/dev/null) || fail "shipped models have no names"
test "$(value small.json nats_per_image)" = "$(value image.json nats_per_image)" ||
  fail "exported weights give $(cat small.json)"
"$tool" sample --model small --count 8 --seed 2 --out small.png >/dev/null
cmp -s small.png image.png || fail "exported weights draw other images"
"$tool" inspect small >inspected.txt
grep -Eqx 'data.binarize +threshold' inspected.txt || fail "export forgets how data were made binary"
"$tool" export --half --model image.st --out models/half.safetensors >/dev/null
bytes=$(wc -c <models/small.safetensors)
test "$(wc -c <models/half.safetensors)" -lt $((bytes * 4 / 5)) || fail "half is not smaller"
"$tool" evaluate --model half --data test.idx --json half.json >/dev/null
test "$(value half.json nats_per_image)" != "$(value small.json nats_per_image)" ||
  fail "half weights are not rounded"
ratio=$(awk "BEGIN { print $(value half.json nats_per_image) / $(value small.json nats_per_image) }")
less 0.999 "$ratio" && less "$ratio" 1.001 || fail "half weights give $(cat half.json)"
refused "there is no file none" sample --model none --count 1 --out none.png
refused "" export --model image.st --out image.st

echo "== weights that come with the tool"
shipped=0
for file in "$here"/../../examples/models/*.safetensors; do
  case $file in
    *-scale-large.*) set -- --small "${file%large.safetensors}small.safetensors" ;;
    *) set -- ;;
  esac
  "$tool" sample --model "$file" "$@" --count 2 --out shipped.png >said.txt || fail "$file"
  grep -q fingerprint said.txt && fail "$file has nothing to tell by whether it is its model"
  shipped=$((shipped + 1))
done
test $shipped -gt 0 || fail "no weights in examples/models"

echo "== recipes make models again"
models=$here/../../examples/models
mkdir data
# Its schedule rises for 500 steps first, so it needs more; images are small, and quick.
"$tool" shapes --out grey.idx --count 2700 --seed 3
for part in train valid; do
  { head -c 16 grey.idx && tail -c +17 grey.idx | LC_ALL=C tr '\000-\377' '[\000*128][\001*128]'
  } | gzip -c >data/$part-images-idx3-ubyte.gz
done
recipe() { OMP_NUM_THREADS=1 sh "$models/make.sh" "$tool" data mnist-scale-small made >made.txt; }
recipe || fail "make.sh: $(cat made.txt)"
for name in .csv .svg -samples.png -nats.png; do
  test -s made/mnist-scale-small$name || fail "make.sh leaves no mnist-scale-small$name"
done
# In full precision and in half.
awk '/nats\/image/ { nats[++count] = $1 }
     END { exit !(count == 2 && nats[1] / nats[2] > 0.999 && nats[1] / nats[2] < 1.001) }' \
  made.txt || fail "make.sh does not say two figures: $(cat made.txt)"
cp made/mnist-scale-small.safetensors first.st
recipe || fail "make.sh again: $(cat made.txt)"
grep -q "no step was left" made.txt || fail "make.sh again begins anew: $(cat made.txt)"
cmp -s made/mnist-scale-small.safetensors first.st || fail "make.sh again makes other weights"
(PIXELRNN_MODELS=made && "$tool" evaluate --model mnist-scale-small \
  --data data/valid-images-idx3-ubyte.gz >said.txt) || fail "what make.sh made is not known by name"
test "$(cat said.txt)" = "$(tail -n 1 made.txt)" || fail "evaluate says $(cat said.txt)"
sh "$models/make.sh" "$tool" data nobody made 2>said.txt && fail "make.sh makes nobody"
grep -q "NAME is nobody, expected one of mnist-diagonal-bilstm " said.txt || fail "make.sh: $(cat said.txt)"
awk 'BEGIN { for (i = 0; i < 1568; ++i) printf "%d%s", i % 3 == 0, (i + 1) % 784 ? " " : "\n" }' >two.amat
python3 "$models/amat.py" two.amat two.idx.gz
"$tool" train --data two.idx.gz --data-levels 2 --model pixel_cnn --layers 1 --hidden 4 --out two.st >said.txt
grep -q " 2 images of 28 x 28" said.txt || fail "amat.py: $(cat said.txt)"
gzip -dc two.idx.gz | tail -c +17 | od -An -v -tu1 -w784 | sed 's/  */ /g; s/^ //' | cmp -s - two.amat ||
  fail "amat.py writes other pixels"
echo "0 1 2" >three.amat
python3 "$models/amat.py" three.amat three.idx.gz 2>said.txt && fail "amat.py takes three words"
grep -q "image 1 has 3 words" said.txt || fail "amat.py: $(cat said.txt)"
sed '2s/1/2/' two.amat >three.amat
python3 "$models/amat.py" three.amat three.idx.gz 2>said.txt && fail "amat.py takes a 2"
grep -q "image 2 has the word '2'" said.txt || fail "amat.py: $(cat said.txt)"

echo "== where the nats come from, as a picture"
"$tool" evaluate --model small --data test.idx --nats-map map.png >/dev/null
is_png map.png
test "$(od -An -tx1 -j16 -N8 map.png | tr -d ' ')" = 0000001c0000001c || fail "map.png is not 28x28"

echo "== two scales"
fit() {
  out=$1
  shift
  "$tool" train --data train.idx.gz --binarize threshold --layers 1 --hidden 4 --head 8 --epochs 1 \
    --batch-size 8 --threads 1 --out "$out" "$@" >fit.txt || fail "train $*"
}
fit coarse.st --model row_lstm --scale 4
grep -q "of 7 x 7 x 1, 2 levels" fit.txt || fail "small images are $(cat fit.txt)"
fit fine.st --model diagonal_bilstm --told-scale 4 --condition-channels 6
grep -q "told every 4. pixel" fit.txt || fail "training does not say what it is told: $(cat fit.txt)"
"$tool" inspect fine.st >inspected.txt
grep -Eqx 'condition +1 channels through 6 features' inspected.txt || fail "$(cat inspected.txt)"
for name in coarse fine; do
  "$tool" evaluate --model $name.st --data test.idx --json $name.json >/dev/null || fail "$name alone"
done
"$tool" evaluate --model fine.st --small coarse.st --data test.idx --json pair.json >/dev/null
sum=$(awk "BEGIN { print $(value coarse.json nats_per_image) + $(value fine.json nats_per_image) }")
less "$(value pair.json nats_per_image)" "$sum + 1e-3" && less "$sum - 1e-3" \
  "$(value pair.json nats_per_image)" || fail "the pair's $(cat pair.json) are not the sum $sum"
"$tool" sample --model fine.st --small coarse.st --count 8 --seed 3 --out pair.png >/dev/null
is_png pair.png
"$tool" sample --model fine.st --small coarse.st --count 8 --seed 3 --sampler full --out full.png >/dev/null
cmp -s pair.png full.png || fail "the two samplers draw other pairs"
fit other.st --model row_lstm --scale 4 --seed 9
"$tool" sample --model fine.st --small other.st --count 8 --seed 3 --out other.png >/dev/null
cmp -s pair.png other.png && fail "what is drawn does not depend on the small image"
"$tool" train --data train.idx.gz --resume fine.st --epochs 2 --threads 1 --out more.st >fit.txt ||
  fail "resume of a told model"
"$tool" sample --model fine.st --small coarse.st --count 2 --height 16 --width 20 --seed 3 --out wide.png \
  >/dev/null || fail "a pair of another size"
# Two side by side, and a line between them.
test "$(od -An -tx1 -j16 -N8 wide.png | tr -d ' ')" = 0000002900000010 || fail "wide.png is not 41x16"
refused "expected multiples of 4" sample --model fine.st --small coarse.st --count 2 --height 15 \
  --width 20 --out x.png
fit twice.st --model row_lstm --told-scale 2 --condition-channels 6
refused "told every 2. pixel, expected 28x28x1 of 2 told every 4. pixel" evaluate --model fine.st \
  --mix-with twice.st --data test.idx
refused "told nothing, expected" evaluate --model fine.st --mix-with image.st --data test.idx
refused "expected no --small" evaluate --model fine.st --small coarse.st --data test.idx --nats-map x.npy
refused "trained with data.told_scale" train --data train.idx.gz --resume fine.st --told-scale 2 \
  --epochs 2 --out x.st
refused "give the model that draws them" sample --model fine.st --count 1 --out x.png
refused "expected 7x7x1 of 2" sample --model fine.st --small image.st --count 1 --out x.png
refused "is not" evaluate --model image.st --small coarse.st --data test.idx
refused "complete by a model of one scale" complete --model fine.st --data test.idx --keep-rows 9 \
  --out x.png
refused "use --binarize stochastic" train --data train.idx.gz --binarize dynamic --scale 2 --out x.st
refused "factor is 5" train --data train.idx.gz --scale 5 --out x.st

finish
