#!/bin/sh
# SPDX-License-Identifier: MIT
# make.sh TOOL DATA NAME [FOLDER]: trains the model NAME again (minutes to hours on two cores), on the data
# in folder DATA, and writes what stands here of it into FOLDER (build/models): weights, curve, samples, a
# picture of where its nats come from; and says its figures, in full precision and as shipped. A training
# that was stopped goes on: FOLDER/training keeps it, for one copy of the data. README.md says where data
# come from. DATA has
#   mnist-*    train-images-idx3-ubyte.gz, valid-images-idx3-ubyte.gz, binarised: values 0 and 1
#   digits-*   MNIST's four files, with 256 levels and labels
#   fashion-*  Fashion-MNIST's four files, as Debian's dataset-fashion-mnist has them
#   cifar-*    train_4000.bin.gz, valid_1000.bin.gz: so many images in CIFAR-10's binary format, zipped
#   numbers-*  nothing: espeak-ng speaks numbers, sox makes 8 kHz of it
# make.sh --known DATA NAME says by its status whether there is such a model, and does nothing.
set -eu
names='mnist-diagonal-bilstm mnist-diagonal-bilstm-turned mnist-diagonal-bilstm-mirrored
mnist-diagonal-bilstm-upwards mnist-diagonal-bilstm-wide mnist-diagonal-bilstm-wide-turned
mnist-row-lstm mnist-row-lstm-wide mnist-spatial-lstm mnist-pixel-cnn mnist-pixel-cnn-wide
mnist-gated-pixel-cnn mnist-scale-small mnist-scale-large mnist-scale-single digits-gated-mixture
digits-gated-softmax fashion-gated-mixture fashion-gated-softmax cifar-gated-mixture cifar-pixel-cnn
cifar-diagonal-bilstm numbers-wavenet'
# A list of words, on one line.
# shellcheck disable=SC2086,SC2116
names=$(echo $names)
tool=$1 data=$2 name=$3 folder=${4:-build/models}
here=$(cd "$(dirname "$0")" && pwd)
run=$folder/training/$name.safetensors shipped=$folder/$name.safetensors
log=$folder/training/$name.csv
case " $names " in
  *" $name "*) ;;
  *) echo "make.sh: NAME is $name, expected one of $names" >&2; exit 2 ;;
esac
test "$tool" != --known || exit 0
mkdir -p "$folder/training"

# train OPTION...: with what all have in common.
train() {
  test ! -e "$run" || set -- "$@" --resume "$run"
  "$tool" train --data "$@" --optimizer adam --schedule cosine --log "$log" --out "$run"
}
# binary RATE OPTION...: with what all nets of binarised digits have in common.
binary() {
  rate=$1
  shift
  train "$@" --batch-size 16 --learning-rate "$rate" --warmup 500 --average-decay 0.999 --keep-best
}
# recurrent KIND SEED EPOCHS ORDER DATA...: of the paper's size for MNIST.
recurrent() {
  kind=$1 seed=$2 epochs=$3 order=$4
  shift 4
  binary 3e-3 "$@" --model "$kind" --layers 7 --hidden 16 --seed "$seed" --epochs "$epochs" \
    --orientation "$order" --clip-norm 30
}
# wide KIND EPOCHS DROPOUT DATA...: twice as wide.
wide() {
  kind=$1 epochs=$2 dropout=$3
  shift 3
  binary 2e-3 "$@" --model "$kind" --layers 7 --hidden 32 --dropout "$dropout" --epochs "$epochs" \
    --clip-norm 30
}
# small DATA...: a Diagonal BiLSTM to compare scales with.
small() {
  binary 3e-3 "$@" --model diagonal_bilstm --layers 2 --hidden 16 --epochs 3 --clip-norm 30
}
# gated DATA...: a Gated PixelCNN that is told the class.
gated() {
  train "$@" --model gated_pixel_cnn --layers 8 --hidden 24 --condition class --binarize none \
    --levels 256 --epochs 2 --batch-size 16 --learning-rate 3e-3 --warmup 200 --clip-norm 2000 \
    --average-decay 0.999
}
# colour OPTION...: amounts of three colours, by five logistic distributions.
colour() {
  train "$@" --mixture 5 --binarize none --levels 256 --batch-size 8 --learning-rate 2e-3 --warmup 200 \
    --clip-norm 30000 --average-decay 0.999 --keep-best
}
# speak FROM TO FILE: numbers as sound.
speak() {
  seq "$1" "$2" | tr '\n' ',' >"$folder/numbers.txt"
  espeak-ng -v en -s 160 -f "$folder/numbers.txt" -w "$folder/numbers.wav"
  sox "$folder/numbers.wav" -r 8000 -c 1 -b 16 "$3"
}

columns=16 count=64
case $name in
  mnist-*)
    held_out=$data/valid-images-idx3-ubyte.gz
    set -- "$data/train-images-idx3-ubyte.gz" --data-levels 2 --valid "$held_out"
    ;;
  digits-* | fashion-*)
    held_out=$data/t10k-images-idx3-ubyte.gz columns=10 count=100
    set -- "$data/train-images-idx3-ubyte.gz" --labels "$data/train-labels-idx1-ubyte.gz"
    ;;
  cifar-*)
    held_out=$data/valid_1000.bin.gz
    set -- "$data/train_4000.bin.gz" --valid "$held_out"
    ;;
  numbers-*)
    speak 21 299 "$folder/numbers-train.wav"
    speak 301 325 "$folder/numbers-valid.wav"
    held_out=$folder/numbers-valid.wav
    set -- "$folder/numbers-train.wav" --valid "$held_out"
    ;;
esac
case $name in
  # The same net in several orders of the pixels, for a mixture.
  mnist-diagonal-bilstm) recurrent diagonal_bilstm 1 20 rows "$@" ;;
  mnist-diagonal-bilstm-turned) recurrent diagonal_bilstm 2 18 "rows from below from right" "$@" ;;
  mnist-diagonal-bilstm-mirrored) recurrent diagonal_bilstm 4 14 "rows from right" "$@" ;;
  mnist-diagonal-bilstm-upwards) recurrent diagonal_bilstm 5 14 "rows from below" "$@" ;;
  mnist-diagonal-bilstm-wide) wide diagonal_bilstm 7 0.1 "$@" ;;
  mnist-diagonal-bilstm-wide-turned)
    # Strokes are strokes in any order: it starts from the other net, and trains for 4 epochs, not 7.
    first=$folder/mnist-diagonal-bilstm-wide.safetensors
    test -e "$first" || first=$here/mnist-diagonal-bilstm-wide.safetensors
    wide diagonal_bilstm 4 0.1 "$@" --orientation "rows from below from right" --seed 2 --start-from "$first"
    ;;
  mnist-row-lstm) recurrent row_lstm 1 18 rows "$@" ;;
  mnist-row-lstm-wide) wide row_lstm 4 0.05 "$@" ;;
  mnist-spatial-lstm) recurrent spatial_lstm 1 8 rows "$@" ;;
  mnist-pixel-cnn)
    binary 3e-3 "$@" --model pixel_cnn --layers 15 --hidden 16 --epochs 12 --clip-norm 30
    ;;
  mnist-pixel-cnn-wide)
    binary 2e-3 "$@" --model pixel_cnn --layers 15 --hidden 32 --epochs 6 --clip-norm 30
    ;;
  mnist-gated-pixel-cnn)
    binary 3e-3 "$@" --model gated_pixel_cnn --layers 8 --hidden 24 --epochs 5 --clip-norm 60
    ;;
  # Every fourth pixel, all pixels told these, and all of them at once.
  mnist-scale-small) small "$@" --scale 4 ;;
  mnist-scale-large) small "$@" --told-scale 4 ;;
  mnist-scale-single) small "$@" ;;
  digits-gated-mixture | fashion-gated-mixture) gated "$@" --mixture 5 ;;
  digits-gated-softmax | fashion-gated-softmax) gated "$@" ;;
  cifar-gated-mixture)
    colour "$@" --model gated_pixel_cnn --layers 8 --hidden 36 --first-kernel 5 --epochs 14
    ;;
  cifar-pixel-cnn) colour "$@" --model pixel_cnn --layers 6 --hidden 32 --head 64 --epochs 16 ;;
  cifar-diagonal-bilstm)
    colour "$@" --model diagonal_bilstm --layers 3 --hidden 24 --head 64 --epochs 16
    ;;
  numbers-wavenet)
    train "$@" --model wavenet --layers 18 --cycle 9 --hidden 32 --head 64 --piece 4000 --dropout 0.05 \
      --epochs 20 --batch-size 4 --learning-rate 2e-3 --warmup 100 --clip-norm 3000 \
      --average-decay 0.98 --keep-best
    ;;
esac

"$tool" export --half --model "$run" --out "$shipped"
python3 "$here/curve.py" "$log" "$folder/$name.csv" "$folder/$name.svg"
set -- --count $count --columns $columns --seed 1 --out "$folder/$name-samples.png"
case $name in
  numbers-*) "$tool" sample --model "$shipped" --count 1 --width 32000 --seed 1 --out "$folder/$name.wav" ;;
  mnist-scale-large)
    small=$folder/mnist-scale-small.safetensors
    test -e "$small" || small=$here/mnist-scale-small.safetensors
    "$tool" sample --model "$shipped" --small "$small" "$@"
    ;;
  *) "$tool" sample --model "$shipped" "$@" ;;
esac
case $name in
  cifar-*)
    "$tool" complete --model "$shipped" --data "$held_out" --keep-rows 16 --count 6 --variants 4 --seed 1 \
      --out "$folder/$name-completions.png"
    ;;
esac
set -- --data "$held_out"
case $name in
  digits-* | fashion-*) set -- "$@" --labels "$data/t10k-labels-idx1-ubyte.gz" ;;
esac
echo "== $name in full precision"
"$tool" evaluate --model "$run" "$@"
case $name in
  mnist-scale-large | numbers-*) ;;
  *) set -- "$@" --nats-map "$folder/$name-nats.png" ;;
esac
echo "== $name as shipped"
"$tool" evaluate --model "$shipped" "$@"
