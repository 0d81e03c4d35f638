#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_sound_test.sh TOOL FOLDER: sound from a file to a model and back. Works in FOLDER.
set -eu
. "$(dirname "$0")/helpers.sh"

# Mono and stereo of 8 bits at 8000 frames a second, 8000 bytes of samples: a square wave.
wave() { yes AAAAzzz | tr -d '\n' | head -c 8000; }
# header CHANNELS BYTES_A_SECOND: in octal bytes, the lower one first.
header() {
  printf 'RIFF\144\037\000\000WAVEfmt \020\000\000\000\001\000%b\000\100\037\000\000' "$1"
  printf '%b\000\000%b\000\010\000data\100\037\000\000' "$2" "$1"
}
{ header '\0001' '\0100\0037' && wave; } >mono.wav
{ header '\0002' '\0200\0076' && wave; } >stereo.wav

echo "== a WaveNet learns a sound and plays on"
"$tool" train --data mono.wav --piece 200 --valid mono.wav --model wavenet --layers 4 --hidden 8 \
  --head 16 --cycle 4 --epochs 12 --batch-size 4 --learning-rate 0.01 --threads 1 --seed 3 \
  --out sound.st --json sound.json >trained.txt || fail "train: $(cat trained.txt)"
grep -q "40 images of 1 x 200 x 1, 256 levels" trained.txt || fail "other pieces: $(cat trained.txt)"
# Two levels by turns of seven: nearly nothing is left to tell, of 200 ln 256 = 1109 nats.
less "$(value sound.json validation_nats_per_image)" 300 || fail "not learned: $(cat sound.json)"
"$tool" inspect --model sound.st >inspected.txt
grep -Eqx 'data.rate +8000' inspected.txt || fail "the rate is forgotten: $(cat inspected.txt)"
grep -Eqx 'cycle +4' inspected.txt || fail "inspect does not say the cycle: $(cat inspected.txt)"
"$tool" evaluate --model sound.st --data mono.wav --json again.json >/dev/null
less "$(value again.json nats_per_image)" 300 || fail "evaluated otherwise: $(cat again.json)"

"$tool" sample --model sound.st --count 2 --width 500 --seed 5 --out drawn.wav >/dev/null
test "$(wc -c <drawn.wav)" -eq $((44 + 2 * 2 * 500)) || fail "drawn.wav has $(wc -c <drawn.wav) bytes"
test "$(head -c 4 drawn.wav)" = RIFF || fail "drawn.wav is no WAV file"
test "$(od -An -tu4 -j24 -N4 drawn.wav | tr -d ' ')" = 8000 || fail "drawn.wav has another rate"
"$tool" sample --model sound.st --count 2 --width 500 --seed 5 --threads 1 --out same.wav >/dev/null
cmp -s drawn.wav same.wav || fail "threads change the sound"
"$tool" sample --model sound.st --count 1 --seed 5 --out line.png >/dev/null
is_png line.png
"$tool" complete --model sound.st --data mono.wav --count 1 --variants 1 --keep-columns 200 \
  --out whole.wav >/dev/null || fail "complete"
# Of what is kept wholly, nothing changes but rounding: 8 bits by the mu-law.
"$tool" evaluate --model sound.st --data whole.wav --limit 1 --json whole.json >/dev/null
"$tool" evaluate --model sound.st --data mono.wav --limit 1 --json first.json >/dev/null
test "$(value whole.json nats_per_image)" = "$(value first.json nats_per_image)" ||
  fail "a kept sound came back changed"

echo "== resumed with the sizes of its file; stereo is mixed for a model of one channel"
"$tool" train --data mono.wav --piece 200 --resume sound.st --epochs 13 --threads 1 --out more.st \
  >resumed.txt || fail "resume: $(cat resumed.txt)"
"$tool" train --data mono.wav --start-from sound.st --epochs 1 --threads 1 --out started.st >started.txt
grep -q '1 x 200 x 1' started.txt || fail "pieces are not the model's: $(cat started.txt)"
"$tool" evaluate --model sound.st --data stereo.wav >/dev/null || fail "stereo for a mono model"
"$tool" train --data stereo.wav --piece 100 --model wavenet --layers 2 --hidden 4 --head 8 \
  --kernel 3 --epochs 1 --threads 1 --out stereo.st >trained.txt || fail "stereo"
grep -q "of 1 x 100 x 2, 256 levels" trained.txt || fail "stereo became: $(cat trained.txt)"
"$tool" sample --model stereo.st --count 1 --out stereo_drawn.wav >/dev/null
test "$(wc -c <stereo_drawn.wav)" -eq $((44 + 2 * 2 * 100)) || fail "stereo_drawn.wav's size"

"$tool" complete --model sound.st --data mono.wav --count 1 --variants 1 --piece 300 --keep-columns 250 \
  --out part.WAV >/dev/null || fail "a piece of another length"
test "$(wc -c <part.WAV)" -eq $((44 + 2 * 300)) || fail "part.WAV has $(wc -c <part.WAV) bytes"
complete() {
  "$tool" complete --model sound.st --data mono.wav --variants 1 --keep-columns 20 --seed 4 "$@" >/dev/null
}
complete --count 2 --out both.wav
complete --first 1 --count 1 --out second.wav
test "$(tail -c 400 both.wav | cksum)" = "$(tail -c 400 second.wav | cksum)" ||
  fail "a completion depends on the number of the first image"
train pixel_cnn picture.st --epochs 1 >/dev/null
refused "mono.wav is sound, the model is of images of 28 rows" evaluate --model picture.st --data mono.wav
refused "is sound, which is not binarised" train --data mono.wav --model wavenet --levels 2 --out x.st
refused "expected a name that ends in .png or .wav" sample --model sound.st --count 1 --out x.mp3
refused "expected height 1 and rows" train --data train.idx.gz --model wavenet --out x.st
refused "--piece" train --data mono.wav --piece 9000 --model wavenet --out x.st
refused "--cycle" train --data mono.wav --model wavenet --cycle 0 --out x.st
refused "expected no labels" train --data mono.wav --labels train.idx.gz --model wavenet --out x.st
refused "with --grey channels are mixed" train --data mono.wav stereo.wav --model wavenet --out x.st
head -c 4000 mono.wav >cut.wav
refused "are promised, but" train --data cut.wav --model wavenet --out x.st
"$tool" train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --epochs 1 --threads 1 \
  --out image.st >/dev/null
refused "is sound, which has one row" sample --model image.st --count 1 --out x.wav

finish
