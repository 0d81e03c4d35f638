#!/bin/sh
# SPDX-License-Identifier: MIT
# cli_interrupts_test.sh TOOL FOLDER: what a training keeps when it is stopped from outside, and
# what the command line tool TOOL says when what it writes is lost. Works in FOLDER.
set -eu
. "$(dirname "$0")/helpers.sh"

launcher=
# start OUT ARGUMENT...: a long training in the background, as `job`, which has written OUT once.
# It has the options of train(), which in the background would be a shell between us and it.
start() {
  out=$1
  shift
  $launcher "$tool" train --data train.idx.gz --model pixel_cnn --layers 1 --hidden 4 --head 4 \
    --batch-size 8 --learning-rate 0.02 --seed 3 --out "$out" --epochs 999 --threads 1 "$@" &
  job=$!
  await test -e "$out"
}

# await COMMAND...: until COMMAND succeeds, but not for ever.
await() {
  tries=0
  until "$@" || test $tries -ge 100; do
    sleep 0.1
    tries=$((tries + 1))
  done
}

# ended STATUS: the job ends with it.
ended() {
  status=0
  wait $job || status=$?
  test $status -eq "$1" || fail "it ends with $status, expected $1"
}

# goes_on NAME: NAME.st, of NAME.json's steps, is whole and resumes as if there had been no break.
goes_on() {
  name=$1
  if ! test -s "$name.json"; then
    fail "no $name.json: it did not end by itself"
    return
  fi
  "$tool" evaluate --model "$name.st" --data test.idx >/dev/null || fail "$name.st is of no use"
  steps=$(($(value "$name.json" steps) + 3))
  train pixel_cnn "$name.st" --epochs 999 --resume "$name.st" --steps $steps >/dev/null
  train pixel_cnn straight.st --epochs 999 --steps $steps >/dev/null
  cmp "$name.st" straight.st || fail "stopped and resumed, $name.st is another model"
}

# ignored SIGNAL: whoever started us has it ignored, and so do all that we start.
ignored() {
  status=0
  { sh -c "kill -$1 \$\$; exit 7" || status=$?; } 2>/dev/null
  test $status -eq 7
}

echo "== a signal leaves a checkpoint to go on from"
for signal in INT TERM HUP; do
  if test $signal = HUP && ignored HUP; then
    echo "(SIGHUP is ignored here, and not tested)"
    continue
  fi
  case $signal in INT) number=2 ;; TERM) number=15 ;; HUP) number=1 ;; esac
  start stopped.st --checkpoint-every 1 --json stopped.json >stopped.txt 2>&1
  kill -$signal $job
  ended $((128 + number))
  grep -qF -- '--resume stopped.st' stopped.txt || fail "it does not say how to resume"
  goes_on stopped
  rm stopped.*
done

echo "== nohup's training goes on when the terminal is gone"
epochs() { test "$(grep -c '^epoch ' nohup.txt)" -ge "$1"; }
launcher="nohup"
start nohup.st >nohup.txt 2>&1
launcher=
kill -HUP $job
await epochs $(($(grep -c '^epoch ' nohup.txt) + 2))
kill -INT $job || fail "SIGHUP has ended it"
ended 130

echo "== Ctrl-C ends tee before it ends the training"
mkfifo pipe
tee tee.txt <pipe >/dev/null &
reader=$!
start tee.st --json tee.json >pipe 2>tee.err
kill -STOP $job
kill -TERM $reader
wait $reader 2>/dev/null || :
kill -INT $job
kill -CONT $job
ended 130
goes_on tee

echo "== when nobody reads on, the epoch is finished and kept"
if ignored PIPE; then
  echo "(SIGPIPE is ignored here, and not tested)"
else
  cat <pipe >/dev/null &
  reader=$!
  start unread.st --json unread.json >pipe 2>unread.err
  kill -TERM $reader
  wait $reader 2>/dev/null || :
  ended 141
  goes_on unread
fi

echo "== a killed training's log goes on from the checkpoint"
start killed.st --checkpoint-every 3 --log killed.csv >killed.txt 2>&1
kill -KILL $job
wait $job 2>/dev/null || :
# As if it had died later than it did, within a line.
printf 'step,99999,1,80.0,fixed,1,1,1\nstep,99' >>killed.csv
cp killed.csv once.csv
start killed.st --resume killed.st --log killed.csv >killed.txt 2>&1
kill -KILL $job
wait $job 2>/dev/null || :
test "$(wc -l <killed.csv)" -ge "$(($(wc -l <once.csv) - 1))" || fail "killed again, its log is shorter"
train pixel_cnn killed.st --epochs 999 --resume killed.st --log killed.csv --json killed.json \
  --steps "$(($("$tool" inspect killed.st | sed -n 's/^trainer.steps *//p') + 4))" >/dev/null
test "$(sed -n 's/^step,\([0-9]*\),.*/\1/p' killed.csv | tr '\n' ' ')" = \
  "$(seq 1 "$(value killed.json steps)" | tr '\n' ' ')" || fail "the log has not each step once: $(cat killed.csv)"
test "$(grep -Evc '^(step|train),[0-9]+,|^event' killed.csv)" -eq 0 || fail "torn lines: $(cat killed.csv)"

echo "== a training that has nothing to do leaves the log that was there"
cp killed.csv before.csv
train pixel_cnn killed.st --epochs 999 --resume killed.st --log killed.csv \
  --steps "$(value killed.json steps)" >killed.txt
grep -q "no step was left" killed.txt || fail "there was a step to do: $(cat killed.txt)"
cmp killed.csv before.csv || fail "the log is another"

echo "== a run that ends within an epoch says how it stands"
train pixel_cnn within.st --epochs 1 --steps 2 --valid test.idx --keep-best >within.txt
grep -q "no epoch ended, the last step was of .* nats: the images of --valid were not" within.txt ||
  fail "it says $(cat within.txt)"

train pixel_cnn kept.st --epochs 2 >/dev/null

# lost ARGUMENT...: the tool fails, and says so, if its standard output is full or closed.
lost() {
  for where in full closed; do
    status=0
    case $where in
      full) "$tool" "$@" >/dev/full 2>lost.err || status=$? ;;
      closed) "$tool" "$@" >&- 2>lost.err || status=$? ;;
    esac
    test $status -eq 1 || fail "standard output $where, it ends with $status: $*"
    test "$(tail -n 1 lost.err)" = 'pixelrnn: cannot write to the standard output' ||
      fail "standard output $where: $*: $(cat lost.err)"
  done
}

if test -c /dev/full; then
  echo "== text that nobody could read is a failure; what was to be written is there all the same"
  lost --version
  lost --help
  lost train --help
  lost inspect --model kept.st
  lost evaluate --model kept.st --data test.idx
  lost evaluate --model kept.st --data test.idx --json -
  lost sample --model kept.st --out lost.png --show
  "$tool" sample --model kept.st --out sample.png >/dev/null
  cmp lost.png sample.png || fail "without a standard output there are other images"

  echo "== a log or figures that cannot be written cost no training"
  # lost_file TEXT ARGUMENT...: a training that fails with TEXT and leaves the model all the same.
  lost_file() {
    text=$1 status=0
    shift
    rm -f lost.st
    train pixel_cnn lost.st --epochs 2 "$@" >/dev/null 2>lost.err || status=$?
    test $status -eq 1 || fail "it ends with $status: $*"
    test "$(cat lost.err)" = "pixelrnn: $text" || fail "not '$text': $*: $(cat lost.err)"
    cmp lost.st kept.st || fail "the model is lost, too: $*"
  }
  lost_file "cannot write the log /dev/full" --log /dev/full
  lost_file "cannot write /dev/full" --json /dev/full
fi

echo "== with closed streams, text for people does not end up in the files"
# closed.csv is the first file that stays open: without care, as the first stream that is closed.
for closed in all output; do
  status=0
  set -- pixel_cnn closed.st --epochs 2 --log closed.csv --json closed.json
  case $closed in
    all) train "$@" <&- >&- 2>&- || status=$? ;;
    output) train "$@" >&- 2>closed.err || status=$? ;;
  esac
  test $status -eq 1 || fail "closed ($closed), it ends with $status"
  cmp closed.st kept.st || fail "closed ($closed), it is another model"
  json closed.json steps finished
  test "$(grep -Ecv '^(event|step|train),' closed.csv)" -eq 0 || fail "not a log: $(cat closed.csv)"
done
train pixel_cnn closed.st --epochs 2 2>&- >/dev/null || fail "it wants a standard error"
cmp closed.st kept.st || fail "without a standard error it is another model"

finish
