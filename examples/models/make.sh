#!/bin/sh
# SPDX-License-Identifier: MIT
# make.sh TOOL DATA NAME [FOLDER]: trains the model NAME of this folder again (an hour and more), on the
# binarised MNIST in folder DATA (train-images-idx3-ubyte.gz and valid-images-idx3-ubyte.gz, values 0
# and 1), and writes what stands here of it: weights, curve, samples, a picture of where its nats come
# from. A training that was stopped goes on; FOLDER (build/models) keeps it.
set -eu
tool=$1 data=$2 name=$3 folder=${4:-build/models}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"

# The same net in several orders of the pixels, for a mixture.
case $name in
  mnist-diagonal-bilstm) seed=1 epochs=20 order=rows ;;
  mnist-diagonal-bilstm-turned) seed=2 epochs=18 order="rows from below from right" ;;
  mnist-diagonal-bilstm-mirrored) seed=4 epochs=14 order="rows from right" ;;
  mnist-diagonal-bilstm-upwards) seed=5 epochs=14 order="rows from below" ;;
  *) echo "make.sh: there is no model $name" >&2; exit 2 ;;
esac
set -- --model diagonal_bilstm --layers 7 --hidden 16 --seed "$seed" --orientation "$order"
run=$folder/$name.safetensors
test ! -e "$run" || set -- "$@" --resume "$run"
"$tool" train --data "$data/train-images-idx3-ubyte.gz" --data-levels 2 \
  --valid "$data/valid-images-idx3-ubyte.gz" "$@" --optimizer adam --learning-rate 3e-3 \
  --schedule cosine --warmup 500 --clip-norm 30 --average-decay 0.999 --epochs "$epochs" --batch-size 16 \
  --keep-best --log "$folder/$name.csv" --out "$run"

"$tool" export --model "$run" --out "$here/$name.safetensors"
python3 "$here/curve.py" "$folder/$name.csv" "$here/$name.csv" "$here/$name.svg"
"$tool" sample --model "$here/$name.safetensors" --count 64 --columns 16 --seed 1 \
  --out "$here/$name-samples.png"
"$tool" evaluate --model "$here/$name.safetensors" --data "$data/valid-images-idx3-ubyte.gz" \
  --nats-map "$here/$name-nats.png"
