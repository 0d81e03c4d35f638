#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_data_test.sh TOOL FOLDER: what the command line tool TOOL makes of files is said by their
# format, by options and by the model file, never guessed from values in silence; and what it advises
# works. Works in FOLDER.
set -eu
. "$(dirname "$0")/helpers.sh"

# bytes VALUE COUNT: COUNT bytes of the octal VALUE.
bytes() { head -c "$2" /dev/zero | tr '\000' "\\$1"; }
# idx COUNT: the header of an IDX file of COUNT (below 64, octal) images of 8 x 8.
idx() { printf '\000\000\010\003\000\000\000%b\000\000\000\010\000\000\000\010' "\\0$1"; }
# fit OUT ARGUMENT...: one step of a tiny model.
fit() {
  out=$1
  shift
  "$tool" train --model pixel_cnn --layers 1 --hidden 4 --head 4 --steps 1 --threads 1 --out "$out" \
    "$@" >fit.txt || fail "train $*"
}
# nats MODEL ARGUMENT...
nats() {
  model=$1
  shift
  rm -f nats.json
  "$tool" evaluate --model "$model" --json nats.json "$@" >/dev/null || fail "evaluate $*"
  value nats.json nats_per_image
}
# same WHAT A B: equal words, which are numbers.
same() {
  printf '%s' "$2" | grep -Eqx '[-0-9.e]+' || fail "$1: no number: $2"
  test "$2" = "$3" || fail "$1: $2 and $3"
}
# word MODEL KEY WORD: so the model file says.
word() {
  "$tool" inspect --model "$1" | grep -Eqx "$2 +$3" || fail "$1 does not say $2 = $3"
}

{ idx 2 && bytes 000 32 && bytes 001 32 && bytes 001 16 && bytes 000 48; } >binary.idx
{ idx 2 && bytes 000 32 && bytes 377 32 && bytes 377 16 && bytes 000 48; } >white.idx
{ idx 2 && bytes 012 32 && bytes 310 32 && bytes 062 64; } >grey.idx
{ idx 2 && bytes 001 32 && bytes 017 32 && bytes 003 64; } >sixteen.idx
{ idx 1 && bytes 000 64; } >black.idx
# Two of 8 x 8 x 3.
{
  printf '\000\000\010\004\000\000\000\002\000\000\000\010\000\000\000\010\000\000\000\003'
  bytes 377 100 && bytes 000 92 && bytes 100 64 && bytes 310 128
} >colour.idx
fit grey.st --data grey.idx
fit binary.st --data binary.idx --data-levels 2
fit sixteen.st --data grey.idx --binarize none --levels 16
fit colour.st --data colour.idx

# advised EXTRA ARGUMENT...: with the words EXTRA the tool refuses, and without them it takes each
# option that it advises then.
advised() {
  extra=$1
  shift
  # The list of words is meant to be split.
  # shellcheck disable=SC2086
  refused use "$@" $extra
  grep -oE -- '(use|already,) --[a-z-]+ ([0-9]+|none|threshold)' refused.err >advice.txt ||
    fail "no advice: $* $extra: $(cat refused.err)"
  while read -r _ option argument; do
    "$tool" "$@" "$option" "$argument" >followed.txt 2>&1 </dev/null ||
      fail "the advice $option $argument does not help: $*: $(cat followed.txt)"
  done <advice.txt
}
# advice COUNT TEXT: so much was advised, and TEXT among it.
advice() {
  test "$(wc -l <advice.txt)" -eq "$1" || fail "not $1 times advice: $(cat refused.err)"
  grep -qF -- "$2" advice.txt || fail "no advice of $2: $(cat refused.err)"
}

echo "== what is advised works"
tiny="--model pixel_cnn --layers 1 --hidden 4 --head 4 --steps 1 --out x.st"
known="--keep-rows 4 --out x.png"
"$tool" sample --model sixteen.st --count 1 --columns 1 --out grey.png >/dev/null
# The lists of words are meant to be split.
# shellcheck disable=SC2086
{
  for extra in "" "--binarize none" "--binarize stochastic" "--binarize dynamic"; do
    advised "$extra" train --data binary.idx $tiny
    advice 2 "--data-levels 2"
    advice 2 "--data-levels 256"
  done
  advised "--binarize threshold" train --data binary.idx $tiny --data-levels 2
  advice 1 "--binarize none"
  advised "" train --data sixteen.idx $tiny --binarize none --levels 16
  advice 2 "--data-levels 16"
  advised "--binarize none --levels 2" train --data grey.idx $tiny
  advice 1 "--data-levels 256"
  advised "--binarize none --levels 2 --data-levels 256" train --data grey.idx $tiny
  advice 1 "--binarize threshold"
  advised "--binarize threshold" train --data grey.idx $tiny --levels 16
  advice 1 "--binarize none"
  for command in "evaluate" "complete $known"; do
    advised "" $command --model grey.st --data binary.idx
    advice 2 "--data-levels 2"
    advised "--binarize threshold" $command --model grey.st --data binary.idx --data-levels 2
    advice 1 "--binarize none"
    for data in grey.idx grey.png; do
      advised "" $command --model binary.st --data $data
      advice 1 "--data-levels 256"
    done
    advised "--binarize threshold" $command --model sixteen.st --data grey.idx
    advice 1 "--binarize none"
    advised "--data-levels 2" $command --model sixteen.st --data binary.idx
    advice 1 "--data-levels 256"
  done
  refused "--threshold is 20, expected 1 to 15" train --data sixteen.idx $tiny --data-levels 16 \
    --threshold 20
  # What would change nothing.
  refused "--threshold is 5, but --binarize is none" train --data sixteen.idx $tiny \
    --binarize none --levels 16 --threshold 5
  refused "--binarize-seed is 5, but --binarize is threshold" train --data grey.idx $tiny \
    --binarize-seed 5
  refused "--threshold is 5, but --binarize is none" evaluate --model sixteen.st \
    --data sixteen.idx --threshold 5
  refused "--binarize-seed is 5, but --binarize is threshold" evaluate --model grey.st \
    --data grey.idx --binarize-seed 5
}

echo "== an image is worth the same whatever stands beside it in its file"
{ idx 3 && tail -c 128 sixteen.idx && bytes 377 64; } >beside.idx
alone=$(nats sixteen.st --data sixteen.idx)
same "beside a white one" "$alone" "$(nats sixteen.st --data beside.idx --limit 2)"
declared=$(nats sixteen.st --data sixteen.idx --data-levels 16)
test "$declared" != "$alone" || fail "--data-levels 16 changes nothing"
same "16 levels" "$declared" "$(nats sixteen.st --data beside.idx --limit 2 --data-levels 16)"
refused "the value is 255, expected 0 to 15" evaluate --model sixteen.st --data beside.idx \
  --data-levels 16
for model in grey.st sixteen.st binary.st; do nats $model --data black.idx >/dev/null; done
# Each file by itself.
for files in "grey.idx binary.idx" "binary.idx grey.idx"; do
  # shellcheck disable=SC2086
  refused '"binary.idx": no value is above 1' train --data $files $tiny
done

echo "== what values mean is kept in the model file"
word grey.st data.levels 256
word binary.st data.levels 2
word binary.st data.binarize none
fit plain.st --data binary.idx --binarize none --levels 2
same "--binarize none --levels 2" "$(nats plain.st --data binary.idx)" \
  "$(nats binary.st --data binary.idx)"
same "0 and 255" "$(nats binary.st --data binary.idx)" \
  "$(nats binary.st --data white.idx --data-levels 256 --binarize none)"
fit levels.st --data sixteen.idx --binarize none --levels 16 --data-levels 16
same "the word" "$(nats levels.st --data sixteen.idx)" \
  "$(nats levels.st --data sixteen.idx --data-levels 16)"
fit middle.st --data sixteen.idx --data-levels 16
word middle.st data.threshold 8
# Who has said once that data are so dark need not say it again.
fit dark.st --data binary.idx --data-levels 256 --epochs 3
"$tool" train --data binary.idx --resume dark.st --out dark.st --steps 2 >fit.txt || fail "resume"
grep -q 'after 2 steps' fit.txt || fail "resume: $(cat fit.txt)"

echo "== colour is kept, unless it is to be grey"
word colour.st image 8x8x3
word colour.st data.grey false
# shellcheck disable=SC2086
{
  nats colour.st --data colour.idx >/dev/null
  "$tool" sample --model colour.st --count 2 --out colour.png --show >/dev/null
  is_png colour.png
  "$tool" complete --model colour.st --data colour.idx --keep-rows 8 --count 1 --variants 1 \
    --out whole.png >/dev/null
  is_png whole.png
  for files in "grey.idx colour.idx" "colour.idx grey.idx"; do
    refused "; with --grey colours become grey" train --data $files $tiny
    grep -qF "\"${files#* }\": images are " refused.err || fail "not the file: $(cat refused.err)"
  done
  refused "images are grey, 8x8x1" evaluate --model colour.st --data grey.idx
  grep -q 'expected colour, 8x8x3' refused.err || fail "$(cat refused.err)"
  refused "(--grey makes colours grey)" evaluate --model colour.st --data colour.idx --grey
  refused "images are grey, 8x8x1" complete --model colour.st --data grey.idx $known
}
fit mixed.st --data grey.idx colour.idx --grey --valid colour.idx
word grey.st data.grey false
word mixed.st data.grey true
word mixed.st image 8x8x1
same "--grey" "$(nats mixed.st --data colour.idx)" "$(nats mixed.st --data colour.idx --grey)"
nats grey.st --data colour.idx grey.idx >/dev/null
"$tool" train --data grey.idx colour.idx --resume mixed.st --out mixed.st --steps 2 >fit.txt ||
  fail "resume"
mkdir folder
cp grey.png folder/1.png
"$tool" sample --model colour.st --count 1 --columns 1 --out folder/2.png >/dev/null
fit folder.st --data folder --grey
# shellcheck disable=SC2086
refused '2.png": the image is 8x8x3' train --data folder $tiny
grep -qF '(with --grey grey and colour mix)' refused.err || fail "$(cat refused.err)"

echo "== a mask keeps what is not black"
base64 -d >m01.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mNgBAIGEKCMAQAFCAAh
Xq2q9AAAAABJRU5ErkJggg==
END
base64 -d >m255.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mP4DwQMIEAZAwC7xB/h
8DmDUAAAAABJRU5ErkJggg==
END
base64 -d >soft.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEklEQVR42mP4/z+KmQEEKGMAANra
EtkdOKuuAAAAAElFTkSuQmCC
END
base64 -d >blue.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR42mNgYGBEQihgKEkAAA3o
ACFe5M1TAAAAAElFTkSuQmCC
END
base64 -d >black.png <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADElEQVR42mNgoA4AAABIAAEQRe/S
AAAAAElFTkSuQmCC
END
for mask in m01 m255 soft blue; do
  "$tool" complete --model grey.st --data grey.idx --keep-mask $mask.png --count 1 --variants 2 \
    --out $mask-done.png >/dev/null || fail "--keep-mask $mask.png"
  cmp $mask-done.png m01-done.png || fail "$mask.png keeps other pixels"
done
"$tool" complete --model grey.st --data grey.idx --keep-rows 0 --count 1 --variants 2 \
  --out none-done.png >/dev/null
! cmp -s none-done.png m01-done.png || fail "a mask of 0 and 1 keeps nothing"
refused "all black and keeps nothing" complete --model grey.st --data grey.idx \
  --keep-mask black.png --out x.png

echo "== labels"
printf '\000\000\010\001\000\000\000\002\007\001' >labels.idx
printf '\000\000\010\001\000\000\000\003\007\001\002' >more.idx
fit x-labels.st --data grey.idx --labels labels.idx --valid grey.idx --valid-labels labels.idx
nats grey.st --data grey.idx --labels labels.idx >/dev/null
# shellcheck disable=SC2086
{
  refused "3 labels, expected 2" train --data grey.idx --labels more.idx $tiny
  refused "3 labels, expected 2" train --data grey.idx --valid grey.idx --valid-labels more.idx $tiny
  refused "3 labels, expected 2" evaluate --model grey.st --data grey.idx --labels more.idx
  refused "3 labels, expected 2" complete --model grey.st --data grey.idx --labels more.idx $known
  refused "an IDX file of images" train --data grey.idx --labels grey.idx $tiny
  refused "--valid" train --data grey.idx --valid-labels labels.idx $tiny
  refused "--json would overwrite labels.idx, which is --labels too" evaluate --model grey.st \
    --data grey.idx --labels labels.idx --json labels.idx
}

echo "== files are told by their content, and named for what they are"
{ printf '\000\000\010\001\000\000\013\371' && bytes 005 3065; } >labels-of-3065
{ printf '\000\000\015\003\000\000\000\001\000\000\000\001\000\000\000\001' && bytes 000 4; } >floats
{ printf '\005' && bytes 144 3072; } >cifar.bin
: >empty.bin
printf '<!DOCTYPE html><html>' >page
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n' >pointer
# shellcheck disable=SC2086
{
  refused "an IDX file of labels" train --data labels-of-3065 $tiny
  refused "an IDX file of 32-bit floats" train --data floats $tiny
  refused "an HTML or XML page" train --data page $tiny
  refused "a Git LFS pointer" train --data pointer $tiny
  refused '"empty.bin" is empty' train --data cifar.bin empty.bin $tiny
  refused '"empty.bin" is empty' train --data empty.bin $tiny
  refused "have labels of their own" train --data cifar.bin --labels labels.idx $tiny
}
fit x-cifar.st --data cifar.bin

# How levels enter the net is the model's: files say it, and a run that is resumed keeps it.
fit half.st --data grey.idx --zero-one --epochs 9
word half.st encoding '0\.\.1'
word grey.st encoding '-1\.\.1'
"$tool" train --data grey.idx --resume half.st --steps 2 --threads 1 --out half.st >fit.txt ||
  fail "a model of --zero-one is not resumed"
word half.st encoding '0\.\.1'
"$tool" train --model pixel_cnn --layers 1 --hidden 4 --head 4 --steps 2 --threads 1 --epochs 9 \
  --data grey.idx --out whole.st >fit.txt || fail "two steps"
test "$(nats half.st --data grey.idx)" != "$(nats whole.st --data grey.idx)" ||
  fail "--zero-one changes nothing"

# Any number of levels, and figures with the bits of a walk, which a narrow model has anyway.
fit five.st --data grey.idx --binarize none --levels 5
word five.st likelihood categorical5
same "--walk-bits" "$(nats five.st --data grey.idx)" "$(nats five.st --data grey.idx --walk-bits)"

finish
