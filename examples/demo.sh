#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh TOOL DATA [OUT]: with weights that come with the tool TOOL draws digits, and completes images of
# the Fashion-MNIST in folder DATA. Then trains a small Diagonal BiLSTM on it (on generated shapes if it is
# not there) for about a minute, samples and completes.
# PIXELRNN_DEMO_IMAGES: how many images to train on, 15000 unless it says otherwise.
set -eu
tool=$1 data=$2 out=${3:-demo} images=${PIXELRNN_DEMO_IMAGES:-15000}
mkdir -p "$out"

models=$(dirname "$0")/models
digits=$models/mnist-diagonal-bilstm.safetensors
echo "== digits from weights that come with the tool"
"$tool" sample --model "$digits" --count 64 --columns 16 --seed 1 --out "$out/digits.png"
"$tool" sample --model "$digits" --count 6 --seed 1 --show --out "$out/shown.png"

train=$data/train-images-idx3-ubyte.gz test=$data/t10k-images-idx3-ubyte.gz
if [ ! -r "$train" ] || [ ! -r "$test" ]; then
  echo "No Fashion-MNIST in $data: generated shapes instead."
  train=$out/shapes-train.idx.gz test=$out/shapes-test.idx.gz
  "$tool" shapes --out "$train" --count "$images" --seed 1
  "$tool" shapes --out "$test" --count 500 --seed 2
elif [ -r "$data/t10k-labels-idx1-ubyte.gz" ]; then
  echo "== grey clothes that weights complete: image, known part, completions"
  "$tool" complete --model "$models/fashion-gated-mixture.safetensors" --data "$test" \
    --labels "$data/t10k-labels-idx1-ubyte.gz" --keep-rows 14 --count 6 --variants 4 --seed 1 \
    --out "$out/clothes.png"
fi

model=$out/model.safetensors
fit() {
  "$tool" train --data "$train" --limit "$images" --binarize threshold --model diagonal_bilstm \
    --layers 2 --hidden 16 --optimizer adam --learning-rate 3e-3 --clip-norm 50 --batch-size 16 \
    --seed 1 --out "$model" "$@"
}
held_out() { "$tool" evaluate --model "$model" --data "$test" --limit 500; }

echo "== one step, and what held-out images cost"
fit --epochs 4 --steps 1
held_out
echo "== training"
fit --epochs 4 --resume "$model" --curve
held_out
echo "== samples"
"$tool" sample --model "$model" --count 32 --seed 1 --out "$out/samples.png"
"$tool" sample --model "$model" --count 6 --seed 1 --show --out "$out/shown.png"
echo "== completions: image, known part, completions"
"$tool" complete --model "$model" --data "$test" --keep-rows 14 --count 6 --variants 4 --seed 1 \
  --out "$out/completions.png"
"$tool" complete --model "$model" --data "$test" --keep-rows 14 --count 2 --variants 1 --seed 1 \
  --show --out "$out/shown.png"
rm -f "$out/shown.png"
echo "== the images are in $out"
