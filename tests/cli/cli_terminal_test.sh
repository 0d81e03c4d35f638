#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_terminal_test.sh TOOL FOLDER: on a terminal the training of the command line tool TOOL shows a
# bar, elsewhere plain lines. Works in FOLDER. Needs `script`, which makes the terminal. Where it can
# make none (a container without /dev/pts) only what needs none is tested, and it ends with 77.
set -eu
. "$(dirname "$0")/helpers.sh"

if ! command -v script >/dev/null; then
  fail "there is no program 'script' (in Debian's bsdutils), and so no terminal to test on"
  finish
fi

has_terminal=yes
why=$(SHELL=/bin/sh script -qec 'test -t 1 && exit 7' /dev/null </dev/null 2>&1) || test $? -eq 7 ||
  has_terminal=no

# What a shell is to run: 12 steps.
training="'$tool' train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --head 4
  --threads 1 --out model.st --epochs 3"
training=$(echo "$training" | tr -d '\n')

mkfifo log
escape=$(printf '\033')
# on_terminal COLUMNS COMMAND: a training on a terminal so wide. What appears is then in
# terminal.txt; what was drawn over something else and again drawn over, in bars.txt; and what stays
# to be seen in shown.txt.
on_terminal() {
  # Bars are drawn ten times a second, and the steps may be done sooner. But the first is late if
  # nobody reads the log.
  { sleep 0.3 && exec cat log >/dev/null; } &
  reader=$!
  SHELL=/bin/sh script -qec "stty columns $1 && $2 --log log" /dev/null </dev/null >terminal.txt ||
    fail "on a terminal it ends with $?: $(cat terminal.txt)"
  kill $reader 2>/dev/null || :  # it waits for ever if nothing was trained
  sed 's/\r$//' terminal.txt >lines.txt
  sed "s/.*\r//; s/^$escape\[K//" lines.txt >shown.txt
  sed -n 's/\r[^\r]*$//p' lines.txt | tr '\r' '\n' | sed -n "s/^$escape\[K\(..*\)/\1/p" >bars.txt
}

# bar COLUMNS PATTERN: every bar is the ERE PATTERN and there is one. None is as wide as the
# terminal, for what wraps cannot be cleared.
bar() {
  grep -Eqx -- "$2" bars.txt || fail "no bar '$2': $(od -c terminal.txt | head -n 40)"
  ! grep -Evx -- "$2" bars.txt || fail "that is not '$2'"
  ! grep -E ".{$1}" bars.txt || fail "too long for $1 columns"
}

epoch='epoch [123]/3  train [0-9.]+ nats, threshold\(128\)  [0-9]+ images/s  [0-9:]+'
# lines FILE: the lines of a training and no bar, nothing that only a terminal understands.
lines() {
  tame "$1"
  grep -v '^step ' "$1" >others.txt || :  # for those it takes ten seconds
  test "$(grep -Ecx "$epoch" others.txt)" -eq 3 || fail "not a line for each epoch: $(cat "$1")"
  grep -qx 'wrote model.st after 12 steps' others.txt || fail "no last line: $(cat "$1")"
  test "$(wc -l <others.txt)" -eq 5 || fail "more lines than expected: $(cat "$1")"
}

echo "== without a terminal plain lines"
sh -c "$training" >plain.txt
lines plain.txt
if [ $has_terminal = no ]; then
  test $failures -eq 0 || exit 1
  echo "SKIPPED: no terminal can be made here, so nobody looked at the bar; script says: $why"
  exit 77
fi
on_terminal 100 "$training >plain.txt"
lines plain.txt
test ! -s terminal.txt || fail "redirected, it writes to the terminal: $(cat terminal.txt)"

echo "== on a terminal a bar with loss, images/s and time to go"
figures='epoch [123]/3  [0-9.]+ nats, threshold\(128\)  [0-9]+ images/s  ETA [0-9:]+'
on_terminal 100 "$training"
bar 100 "\[#*-*\] +[0-9]+%  $figures"
lines shown.txt

echo "== on a narrow one fewer words, and at last no bar"
on_terminal 70 "$training"
bar 70 '\[#*-*\] +[0-9]+%  epoch [123]/3  [0-9.]+ nats  [0-9]+ images/s  ETA [0-9:]+'
on_terminal 30 "$training"
bar 30 ' +[0-9]+%  epoch [123]/3  [0-9.]+ nats.*'
lines shown.txt

echo "== with --json - the bar is on the standard error"
on_terminal 100 "$training --json - >figures.json"
bar 100 "\[#*-*\] +[0-9]+%  $figures"
json figures.json steps finished
lines shown.txt

finish
