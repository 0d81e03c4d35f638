#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_best_test.sh TOOL FOLDER: what a training that gets worse, diverges or meets other images does
# with the files there are, and what evaluate and inspect tell of a model. Works in FOLDER.
set -eu
. "$(dirname "$0")/helpers.sh"

# train_at RATE KIND OUT ARGUMENT...: a tiny model, as train makes.
train_at() {
  rate=$1 kind=$2 out=$3
  shift 3
  "$tool" train --data train.idx.gz --model "$kind" --layers 1 --hidden 4 --head 4 --batch-size 8 \
    --learning-rate "$rate" --seed 3 --out "$out" "$@"
}

echo "== the weights of the best epoch are kept beside the last ones"
train pixel_cnn best.st --epochs 3 --valid test.idx --keep-best --json good.json >good.txt
# Another three with a rate that does harm.
train_at 0.7 pixel_cnn best.st --resume best.st --epochs 6 --valid test.idx \
  --json bad.json >bad.txt
test "$(value bad.json best_epoch)" -le 3 || fail "an epoch of harm is called the best"
grep -q "^best epoch [123]: validation .* its weights are kept" bad.txt || fail "no best: $(cat bad.txt)"
less "$(value bad.json best_validation_nats_per_image)" "$(value bad.json validation_nats_per_image)" ||
  fail "the last epoch is as good as the best"
"$tool" evaluate --model best.st --data test.idx --json best.json >/dev/null
"$tool" evaluate --model best.st --data test.idx --weights trained --json last.json >/dev/null
test "$(value best.json nats_per_image)" = "$(value bad.json best_validation_nats_per_image)" ||
  fail "evaluate does not take the best weights: $(cat best.json bad.json)"
test "$(value last.json nats_per_image)" = "$(value bad.json validation_nats_per_image)" ||
  fail "--weights trained are not the last"

echo "== patience ends a training, also one that is resumed"
train_at 0.7 pixel_cnn patient.st --epochs 40 --valid test.idx --patience 2 \
  --json patient.json >patient.txt
grep -q "^stopped early: 2 epochs without a better validation" patient.txt ||
  fail "patience has no end: $(tail -n 3 patient.txt)"
test "$(value patient.json epochs)" -eq $(($(value patient.json best_epoch) + 2)) ||
  fail "not two epochs after the best: $(cat patient.json)"
train_at 0.7 pixel_cnn patient.st --resume patient.st --epochs 40 --valid test.idx \
  --json again.json >again.txt
test "$(value again.json steps)" = "$(value patient.json steps)" || fail "resuming begins to wait anew"
refused --valid train --data test.idx --out x.st --patience 2
refused --valid train --data test.idx --out x.st --keep-best
"$tool" shapes --out other.idx --count 20 --seed 9
cp patient.st before.st
refused "data.validation_content" train --data train.idx.gz --valid other.idx --resume patient.st \
  --out patient.st --epochs 41
cmp -s patient.st before.st || fail "a refused training has written"

echo "== what diverges replaces nothing"
train row_lstm sound.st --epochs 1 >/dev/null
cp sound.st before.st
status=0
train_at 1e20 row_lstm sound.st --resume sound.st --epochs 2 --steps 9 \
  >diverged.out 2>diverged.err || status=$?
test $status -eq 1 || fail "a diverged training ends with $status"
grep -q 'training diverged; "sound.st" is left as it was' diverged.err ||
  fail "what diverged is not named: $(cat diverged.err)"
! grep -q wrote diverged.out || fail "it says that it wrote"
cmp -s sound.st before.st || fail "diverged weights were written over good ones"
"$tool" evaluate --model sound.st --data test.idx >/dev/null || fail "the good file is damaged"
train row_lstm sound.st --resume sound.st --epochs 2 >/dev/null || fail "it cannot be resumed"

echo "== other images of the same number and size are no data to go on with"
"$tool" shapes --out twin.idx --count 60 --seed 7
cp sound.st before.st
refused "data.content" train --data twin.idx --resume sound.st --epochs 3 --out sound.st
cmp -s sound.st before.st || fail "a refused training has written"

echo "== logits and nats for other programs"
"$tool" evaluate --model sound.st --data test.idx --logits logits.npy --nats-map nats.npy \
  --json sound.json >/dev/null
test "$(wc -c <logits.npy)" -eq $((128 + 20 * 28 * 28 * 4)) || fail "logits.npy: $(wc -c <logits.npy) bytes"
mean=$(tail -c +129 nats.npy | od -An -v -t f8 -w8 | awk '{ sum += $1 } END { printf "%.6f", sum / 20 }')
less "($mean - $(value sound.json nats_per_image)) ^ 2" 1e-8 || fail "the map of nats sums to $mean"
refused --logits evaluate --model sound.st --data test.idx --logits test.idx

echo "== nats for each class, and a word about files that say less"
# 20 labels: 0, 1, 2, 0, ... as IDX.
{
  printf '\000\000\010\001\000\000\000\024'
  for i in 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1; do printf "\\00$i"; done
} >labels.idx
"$tool" evaluate --model sound.st --data test.idx --labels labels.idx --json class.json >class.txt
test "$(grep -c '^class ' class.txt)" -eq 3 || fail "not three classes: $(cat class.txt)"
mean=$(awk '/^class/ { sum += $3 * $7; n += $7 } END { if (n == 20) printf "%.6f", sum / n }' class.txt)
less "($mean - $(value sound.json nats_per_image)) ^ 2" 1e-6 || fail "the classes average to $mean"
grep -q '"0": [0-9]' class.json || fail "no classes in JSON"
! grep -q fingerprint class.txt || fail "a file of ours is said to have no fingerprint"
LC_ALL=C sed 's/"fingerprint":/"f1ngerprint":/' sound.st >old.st
"$tool" evaluate --model old.st --data test.idx >old.txt || fail "a file without fingerprint fails"
grep -q "has no fingerprint" old.txt || fail "nothing is said of a missing fingerprint"

echo "== inspect counts earlier pixels only, and says what each layer is"
"$tool" inspect sound.st >inspected.txt
seen=$(sed -n 's/^receptive field of pixel (14, 14): \([0-9]*\) of 406 earlier pixels$/\1/p' inspected.txt)
test "$seen" -eq "$(sed '/@/q' inspected.txt | sed 's/@.*//' | grep '^  [.#]' | tr -cd '#' | wc -c)" ||
  fail "the count is not that of the drawing: $seen"
grep -q "Residual(RowLSTM<learned>(8->4, k 3)" inspected.txt || fail "no description of the layers"
finish
