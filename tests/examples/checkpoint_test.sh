#!/usr/bin/env bash
# --save and --resume of the trainer `mnist`: runs that stop and go on end with the same bytes as one that does not.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
mnist=$(example mnist)

write_data 300 60

train() { "$mnist" --data data --quiet "$@" >out 2>err; }
same() { cmp "$1" "$2" >&2 || fail "$1 and $2 differ"; }
without_times() { cut -d, -f1-3,5- "$1"; }

options=(--hidden 8,6 --batch 20 --learning-rate 0.02 --seed 3 --limit 280)
for algorithm in am-adam am-mem am-mem-full am-mem-descent am-recursive am-sgd adam adam-centred sgd backprop-mem; do
  named=(--algorithm $algorithm)
  [[ $algorithm != am-recursive ]] || named+=(--no-batch-norm)
  train "${options[@]}" "${named[@]}" --epochs 4 --save whole --history whole.csv --threads 1 || fail "whole"
  train "${options[@]}" "${named[@]}" --epochs 4 --save threads --threads 2 || fail "threads"
  same whole threads
  [[ $(find . -maxdepth 1 -name 'whole*' | wc -l) -eq 2 ]] || fail "something left beside the checkpoint"
done

# Its options need not be given again; more epochs may be. (The constant schedule does not look ahead.)
train "${options[@]}" --schedule constant --epochs 4 --save whole --history whole.csv || fail "whole"
train "${options[@]}" --schedule constant --epochs 2 --save part || fail "part"
train --resume part --epochs 4 --save part --history part.csv --threads 1 || fail "resume"
same whole part
[[ $(field epochs) -eq 4 && $(field steps) -eq 56 ]] || fail "counts of a resumed run"
[[ $(without_times part.csv) == "$(without_times whole.csv)" ]] || fail "history of a resumed run"
train --resume part --hidden 8,6 --seed 3 --save again --history again.csv || fail "resume what is complete"
same whole again
[[ $(without_times again.csv) == "$(without_times whole.csv)" ]] || fail "history of a complete run"
[[ $(field test_accuracy) =~ ^[0-9] ]] || fail "report of a complete run"

# The same for a pair of a signal and a rule.
pair=(--signal backprop --rule memory)
train "${options[@]}" "${pair[@]}" --schedule constant --epochs 4 --save pair || fail "pair"
train "${options[@]}" "${pair[@]}" --schedule constant --epochs 2 --save half || fail "half of a pair"
train --resume half --epochs 4 --save half || fail "resume a pair"
same pair half
[[ $(field algorithm) == '"backprop+memory"' ]] || fail "algorithm of a resumed pair"
train --resume half "${pair[@]}" || fail "resume a pair that is given again"
refused '^mnist: --algorithm: expected "backprop+memory", as in half, got "backprop+sgd"$' \
  train --resume half --signal backprop --rule sgd
refused '^mnist: --algorithm: expected "backprop+memory", as in half, got "am-adam"$' train --resume half --algorithm am-adam

# What conflicts, or is no checkpoint, is told in one line, and nothing is touched.
cp whole kept
refused '^mnist: --hidden: expected \[8,6\], as in whole, got \[8\]$' train --resume whole --save whole --hidden 8
refused '^mnist: --seed: expected 3, as in whole, got 4$' train --resume whole --seed 4
refused '^mnist: --algorithm' train --resume whole --algorithm adam
refused '^mnist: --learning-rate: expected 0.02' train --resume whole --learning-rate 0.01
refused '^mnist: --mu: expected null' train --resume whole --mu 0.5
refused '^mnist: whole: expected at most 3 epochs' train --resume whole --epochs 3
refused '^mnist: nowhere: No such file' train --resume nowhere
refused '^mnist: data: it is not a file' train --resume data
refused '^mnist: --save: cannot write nowhere/run: No such file' train --save nowhere/run
refused '^mnist: --save: cannot write data: it is not a file' train --save data
head -c 1000 whole >short
refused '^mnist: short: header' train --resume short
head -c -1 whole >short
refused '^mnist: short: ' train --resume short
head -c 5000 /dev/urandom >garbage
refused '^mnist: garbage: header' train --resume garbage
: >empty
refused '^mnist: empty: header: expected at least 8 bytes, got 0$' train --resume empty
same whole kept

# A checkpoint goes on with its own data alone. It keeps its mode.
cp -r data other
printf '\xf1' | dd of=other/train-images-idx3-ubyte bs=1 seek=16 conv=notrunc 2>err
refused '^mnist: whole: fit.data: expected the training data of the run that goes on, got other data of the same size$' \
  "$mnist" --data other --resume whole --quiet
same whole kept
chmod 640 part
train --resume part --save part || fail "resume"
[[ $(stat -c %a part) == 640 ]] || fail "mode of a checkpoint"

# An interruption ends with the batch, and is saved; the JSON line is the last one all the same. A second signal right
# behind it, as of a wrapper that passes it on, changes nothing.
long=("${options[@]}" --schedule constant --epochs 30000)
for signals in INT TERM HUP 'INT INT'; do
  rm part
  "$mnist" --data data --quiet "${long[@]}" --save part >out 2>err &
  pid=$!
  await_training $pid
  for signal in $signals; do kill -$signal $pid; done
  status=0
  wait $pid || status=$?
  case $signals in TERM) expected=143 ;; HUP) expected=129 ;; *) expected=130 ;; esac
  [[ $status -eq $expected ]] || fail "status $status after $signals"
  grep -q '^mnist: interrupted after step [0-9]*; saved in part$' err || fail "message after $signals"
  [[ $(field steps) =~ ^[0-9]+$ && $(field test_accuracy) =~ ^[0-9] ]] || fail "report after $signals"
  epochs=$(($(field epochs) + 2))
  train --resume part --epochs $epochs --save part || fail "resume after $signals"
  train "${options[@]}" --schedule constant --epochs $epochs --save whole || fail "whole"
  same whole part
done

# A program that was started to ignore hangups (nohup) goes on.
rm part
(trap '' HUP && exec "$mnist" --data data --quiet "${long[@]}" --save part >out 2>err) &
pid=$!
await_training $pid
kill -HUP $pid
kill -INT $pid
status=0
wait $pid || status=$?
[[ $status -eq 130 ]] || fail "status $status after an ignored hangup"
grep -q '^mnist: interrupted after step [0-9]*; saved in part$' err || fail "message after an ignored hangup"
