#!/bin/sh
# SPDX-License-Identifier: MIT
# make.sh TOOL DATA NAME [FOLDER]: trains the model NAME of this folder again (minutes to hours on one
# core), on the images in folder DATA, and writes what stands here of it: weights, curve, samples, a picture
# of where its nats come from. A training that was stopped goes on; FOLDER (build/models) keeps it. DATA has
#   mnist-*    train-images-idx3-ubyte.gz, valid-images-idx3-ubyte.gz, binarised: values 0 and 1
#   fashion-*  Fashion-MNIST's four files, as Debian's dataset-fashion-mnist has them
#   cifar-*    train_4000.bin.gz, valid_1000.bin.gz, in CIFAR-10's binary format
set -eu
tool=$1 data=$2 name=$3 folder=${4:-build/models}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"

# recurrent KIND SEED EPOCHS ORDER: of the paper's size for MNIST.
recurrent() {
  kind=$1 seed=$2 epochs=$3 order=$4
  set -- --model "$kind" --layers 7 --hidden 16 --seed "$seed" --orientation "$order" --epochs "$epochs" \
    --batch-size 16 --learning-rate 3e-3 --warmup 500 --clip-norm 30 --keep-best
  train "$@"
}
# gated NAME OPTION...: Gated PixelCNN, class by class.
gated() {
  train --model gated_pixel_cnn --layers 8 --hidden 24 --condition class --binarize none --levels 256 \
    --epochs 2 --batch-size 16 --learning-rate 3e-3 --warmup 200 --clip-norm 2000 "$@"
}
train() {
  run=$folder/$name.safetensors
  test ! -e "$run" || set -- "$@" --resume "$run"
  # The lists of words are meant to be split.
  # shellcheck disable=SC2086
  "$tool" train --data $train_data "$@" --optimizer adam --schedule cosine --average-decay 0.999 \
    --log "$folder/$name.csv" --out "$run"
}

count=64 columns=16
case $name in
  mnist-*)
    held_out=$data/valid-images-idx3-ubyte.gz
    train_data="$data/train-images-idx3-ubyte.gz --data-levels 2 --valid $held_out"
    ;;
  fashion-*)
    held_out="$data/t10k-images-idx3-ubyte.gz --labels $data/t10k-labels-idx1-ubyte.gz"
    train_data="$data/train-images-idx3-ubyte.gz --labels $data/train-labels-idx1-ubyte.gz"
    count=100 columns=10
    ;;
  cifar-*)
    held_out=$data/valid_1000.bin.gz
    train_data="$data/train_4000.bin.gz --valid $held_out"
    ;;
esac
case $name in
  # The same net in several orders of the pixels, for a mixture.
  mnist-diagonal-bilstm) recurrent diagonal_bilstm 1 20 rows ;;
  mnist-diagonal-bilstm-turned) recurrent diagonal_bilstm 2 18 "rows from below from right" ;;
  mnist-diagonal-bilstm-mirrored) recurrent diagonal_bilstm 4 14 "rows from right" ;;
  mnist-diagonal-bilstm-upwards) recurrent diagonal_bilstm 5 14 "rows from below" ;;
  mnist-row-lstm) recurrent row_lstm 1 18 rows ;;
  fashion-gated-mixture) gated --mixture 5 ;;
  fashion-gated-softmax) gated ;;
  cifar-gated-mixture)
    train --model gated_pixel_cnn --layers 8 --hidden 36 --first-kernel 5 --mixture 5 --binarize none \
      --levels 256 --dropout 0.1 --epochs 14 --batch-size 8 --learning-rate 2e-3 --warmup 200 \
      --clip-norm 30000 --keep-best
    ;;
  *) echo "make.sh: there is no model $name" >&2; exit 2 ;;
esac

"$tool" export --model "$folder/$name.safetensors" --out "$here/$name.safetensors"
python3 "$here/curve.py" "$folder/$name.csv" "$here/$name.csv" "$here/$name.svg"
"$tool" sample --model "$here/$name.safetensors" --count $count --columns $columns --seed 1 \
  --out "$here/$name-samples.png"
# shellcheck disable=SC2086
"$tool" evaluate --model "$here/$name.safetensors" --data $held_out --nats-map "$here/$name-nats.png"
