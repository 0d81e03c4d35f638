# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the tests of the command line tool share: `. helpers.sh` in a script with the arguments TOOL
# FOLDER makes FOLDER anew, goes there and writes train.idx.gz (60 images) and test.idx (20).
tool=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder" || exit 1
failures=0
# A report of a sanitizer would end the tool with 1, as what it refuses does.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}exitcode=99"
# The tool sets this for itself, but Archer looks for it here, and writes a warning if it is missing.
export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}ignore_noninstrumented_modules=1"

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# finish: the script fails if anything has.
finish() {
  test $failures -eq 0 || exit 1
  echo "all passed"
}

# json FILE KEY...: FILE is one JSON object that has every KEY with a value.
json() {
  file=$1
  shift
  test "$(head -c 1 "$file")" = '{' || fail "$file does not begin with {: $(head -n 1 "$file")"
  test "$(tail -n 1 "$file")" = '}' || fail "$file does not end with }"
  for key in "$@"; do
    grep -q "\"$key\": [^n]" "$file" || fail "$file has no $key"
  done
}

# value FILE KEY: the number of a JSON file.
value() { sed -n "s/^ *\"$2\": \([-0-9.e]*\),*\$/\1/p" "$1"; }

# less A B: a < b, as numbers.
less() { awk "BEGIN { exit !($1 < $2) }"; }

is_png() {
  test "$(od -An -tx1 -N4 "$1" | tr -d ' ')" = 89504e47 || fail "$1 is no PNG file"
}

# tame FILE: nothing in it but text. U+009B alone is what Escape and [ are to some terminals.
tame() {
  control=$(LC_ALL=C tr -cd '\001-\011\013-\037\177\233' <"$1" | wc -c)
  test "$control" -eq 0 || fail "$control control characters in $1: $(od -c "$1" | head -n 20)"
}

# refused TEXT ARGUMENT...: the tool fails and says TEXT in one line, to the standard error alone.
refused() {
  text=$1 status=0
  shift
  "$tool" "$@" >refused.out 2>refused.err || status=$?
  if test $status -eq 0; then
    fail "accepted: $*"
  elif test $status -gt 2; then
    fail "ends with $status: $*: $(cat refused.err)"
  elif test "$(wc -l <refused.err)" -ne 1 || test -s refused.out; then
    fail "not one line: $*: $(cat refused.out refused.err)"
  elif ! grep -qF -- "$text" refused.err; then
    fail "does not name '$text': $*: $(cat refused.err)"
  fi
  tame refused.err
}

# train KIND OUT ARGUMENT...: a tiny model.
train() {
  kind=$1 out=$2
  shift 2
  "$tool" train --data train.idx.gz --model "$kind" --layers 1 --hidden 4 --head 4 \
    --batch-size 8 --learning-rate 0.02 --seed 3 --out "$out" "$@"
}

"$tool" shapes --out train.idx.gz --count 60 --seed 1
"$tool" shapes --out test.idx --count 20 --seed 2
