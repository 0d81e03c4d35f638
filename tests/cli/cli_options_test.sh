#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_options_test.sh TOOL FOLDER: every option of a training of the command line tool TOOL is taken,
# and changes what it should. Works in FOLDER. A model file keeps its options as words, and so differs
# from another in any case: what is compared are losses, which the weights decide.
set -eu
. "$(dirname "$0")/helpers.sh"

# nats KIND ARGUMENT...: the loss of the third step, which sees two updates. Leaves trained.json.
nats() {
  kind=$1
  shift
  rm -f trained.json
  "$tool" train --data train.idx.gz --model "$kind" --layers 1 --hidden 4 --head 4 --batch-size 8 \
    --steps 3 --learning-rate 0.001 --threads 1 --out model.st --json trained.json "$@" \
    >/dev/null || fail "train $kind $*"
  value trained.json last_nats_per_image
}

# differ WHAT NATS...: all of them are numbers, no two the same.
differ() {
  what=$1
  shift
  printf '%s\n' "$@" | grep -Evq '^[0-9.]+$' && fail "$what: not only numbers: $*"
  test "$(printf '%s\n' "$@" | sort -u | wc -l)" -eq $# || fail "$what changes nothing: $*"
}

# named KEY WORD: so trained.json says.
named() {
  grep -q "\"$1\": \"$2\"" trained.json || fail "$1 is not $2: $(cat trained.json)"
}

echo "== update rules and what they take"
adam=$(nats pixel_cnn)
test "$(nats pixel_cnn --optimizer adam)" = "$adam" || fail "the rule by default is not adam"
sgd=$(nats pixel_cnn --optimizer sgd)
differ "--optimizer" "$adam" "$sgd" "$(nats pixel_cnn --optimizer rmsprop)"
differ "--momentum" "$sgd" "$(nats pixel_cnn --optimizer sgd --momentum 0.9)"
differ "--clip-norm" "$sgd" "$(nats pixel_cnn --optimizer sgd --clip-norm 0.1)"
differ "--dropout" "$adam" "$(nats pixel_cnn --dropout 0.2)" "$(nats pixel_cnn --dropout 0.4)"
differ "--schedule and --warmup" "$adam" "$(nats pixel_cnn --schedule cosine)" \
  "$(nats pixel_cnn --schedule cosine --warmup 2)"

echo "== architectures"
parameters=$(value trained.json parameters)
differ "--skip" "$adam" "$(nats pixel_cnn --skip)"
less "$parameters" "$(value trained.json parameters)" || fail "--skip adds no weights"
differ "--initial-state" "$(nats diagonal_bilstm)" "$(nats diagonal_bilstm --initial-state zero)" \
  "$(nats diagonal_bilstm --initial-state padded_scan)"
differ "--initial-state of row_lstm" "$(nats row_lstm)" "$(nats row_lstm --initial-state zero)"

echo "== what becomes of grey levels"
# Three epochs of a step: only from the second on is a new draw another than the first.
epochs="--limit 8 --epochs 3"
# The lists of words are meant to be split.
# shellcheck disable=SC2086
{
  threshold=$(nats pixel_cnn $epochs)
  stochastic=$(nats pixel_cnn $epochs --binarize stochastic)
  dynamic=$(nats pixel_cnn $epochs --binarize dynamic)
}
named binarization 'dynamic(0)'
differ "--binarize" "$threshold" "$stochastic" "$dynamic"
levels256=$(nats pixel_cnn --binarize none)
test "$(nats pixel_cnn --binarize none --levels 256)" = "$levels256" ||
  fail "--binarize none has not 256 levels"
parameters=$(value trained.json parameters)
levels4=$(nats pixel_cnn --binarize none --levels 4)
less "$(value trained.json parameters)" "$parameters" || fail "4 levels have the logits of 256"
differ "--levels" "$adam" "$levels256" "$levels4"

echo "== which images, which weights"
test "$(nats pixel_cnn --limit 1000)" = "$adam" || fail "a --limit above the 60 images is not all"
test "$(value trained.json images)" -eq 60 || fail "--limit 1000: $(cat trained.json)"
# Two epochs of a step. The averaged weights are those that a validation looks at, too.
nats pixel_cnn --limit 8 --epochs 2 --average-decay 0.9 --valid test.idx --valid-limit 5 >/dev/null
validation=$(value trained.json validation_nats_per_image)
test "$(value trained.json images)" -eq 8 || fail "--limit: $(cat trained.json)"
for weights in averaged trained; do
  "$tool" evaluate --model model.st --data test.idx --limit 5 --weights $weights \
    --json weights-$weights.json >/dev/null || fail "--weights $weights"
done
averaged=$(value weights-averaged.json nats_per_image)
differ "--weights" "$averaged" "$(value weights-trained.json nats_per_image)"
test "$averaged" = "$validation" ||
  fail "--valid-limit 5 gives $validation, evaluate --limit 5 $averaged"

echo "== CIFAR-10 and PNG, of which colours become luma if that is wanted"
# plane BYTE: 32 x 32 of it, in octal.
plane() { head -c 1024 /dev/zero | tr '\000' "\\$1"; }
# An image all red and one all green, after their labels; and the same as an IDX file of grey.
{
  printf '\003' && plane 377 && plane 000 && plane 000
  printf '\005' && plane 000 && plane 377 && plane 000
} >cifar.bin
test "$(wc -c <cifar.bin)" -eq 6146 || fail "cifar.bin is not two records of 3073 bytes"
{
  printf '\000\000\010\003\000\000\000\002\000\000\000\040\000\000\000\040'
  plane 114 && plane 226
} >luma.idx
# Of the means of red, green and blue, which are no luma: the control.
{ head -c 16 luma.idx && plane 125 && plane 125; } >mean.idx
# loss DATA ARGUMENT...: that of two steps on it.
loss() {
  data=$1
  shift
  rm -f trained.json
  "$tool" train --data "$data" --model pixel_cnn --layers 1 --hidden 4 --head 4 --steps 2 \
    --epochs 2 --binarize none --threads 1 --out model.st --json trained.json "$@" >trained.txt ||
    fail "train --data $data $*"
  value trained.json last_nats_per_image
}
cifar=$(loss cifar.bin --grey)
grep -q ' 2 images of 32 x 32' trained.txt || fail "cifar.bin: $(cat trained.txt)"
test "$(loss luma.idx)" = "$cifar" || fail "cifar.bin is not read as its luma"
differ "another grey" "$cifar" "$(loss mean.idx)"
gzip -c cifar.bin >cifar.bin.gz
test "$(loss cifar.bin.gz --grey)" = "$cifar" || fail "cifar.bin.gz is not cifar.bin"
# The same two images as PNG files, RGB of 8 bits.
mkdir colours
base64 -d >colours/1-red.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7h
IASyp6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9AAAAAElFTkSuQmCC
END
base64 -d >colours/2-green.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJklEQVR42u3NsQkAAAjAsP7/tF7h
IASyp6ZbAoFAIBAIBAKB4EuwNof8Lqbpz1cAAAAASUVORK5CYII=
END
test "$(loss colours --grey)" = "$cifar" ||
  fail "a folder of colour PNG is not read as its luma"
colour=$(loss cifar.bin)
differ "--grey" "$cifar" "$colour"
test "$(loss colours)" = "$colour" || fail "colours of PNG are not those of CIFAR-10"

finish
