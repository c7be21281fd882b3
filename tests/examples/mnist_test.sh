#!/usr/bin/env bash
# The trainer `mnist` on a small data set of its format: what it prints, what it refuses.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
mnist=$(example mnist)

write_data 300 60

rate=0.02
train() { "$mnist" --data data --hidden 8 --epochs 9 --batch 20 --learning-rate "$rate" "$@" >out 2>err; }

for algorithm in am-adam am-mem am-sgd adam sgd; do
  train --algorithm "$algorithm" || fail "$algorithm"
  [[ $(field algorithm) == "\"$algorithm\"" ]] || fail "algorithm"
  [[ $(field model) == '"mlp"' ]] || fail "model"
  [[ $(field parameters) -eq 83 ]] || fail "parameters" # 4 * 8 + 8, 8 + 8, 8 * 3 + 3
  [[ $(field epochs) -eq 9 ]] || fail "epochs"
  [[ $(field steps) -eq 135 ]] || fail "steps"
  for name in train_loss test_accuracy train_seconds seconds_per_step; do
    [[ $(field $name) =~ ^[0-9] ]] || fail "$name"
  done
  awk "BEGIN {exit !($(field test_accuracy) > 0.9)}" || fail "$algorithm does not learn"
  [[ $(grep -c '^epoch ./9  loss' err) -eq 9 ]] || fail "a line for each epoch"
done

train --history history.csv --limit 40 --no-batch-norm --quiet --threads 1 || fail "history"
[[ $(wc -l <out) -eq 1 && ! -s err ]] || fail "quiet"
[[ $(field steps) -eq 18 && $(field parameters) -eq 67 ]] || fail "limit, no batch norm"
[[ $(wc -l <history.csv) -eq 10 ]] || fail "history.csv"
[[ $(find . -maxdepth 1 -name 'history*' | wc -l) -eq 1 ]] || fail "something left beside history.csv"
loss=$(field train_loss)
train --limit 40 --no-batch-norm --quiet --threads 2 || fail "threads"
[[ $(field train_loss) == "$loss" ]] || fail "the number of threads changes the result"

train --time-limit 1e-9 || fail "time limit"
[[ $(field steps) -eq 1 ]] || fail "time limit"
grep -q '^the time limit of 1e-09 s is reached' err || fail "reason of the time limit"
"$mnist" --data data --hidden 8 --epochs 1000 --batch 20 --patience 2 >out 2>err || fail "patience"
[[ $(field epochs) -lt 1000 ]] || fail "patience"
[[ $(field samples) -eq 270 ]] || fail "held-out samples"
grep -q '^for 2 epochs no validation loss was better than' err || fail "reason of the patience"

if command -v gnuplot >/dev/null; then
  train --plot curves.png || fail "plot"
  [[ $(head -c 4 curves.png | tail -c 3) == PNG ]] || fail "curves.png"
  [[ $(find . -maxdepth 1 -name 'curves*' | wc -l) -eq 1 ]] || fail "something left beside curves.png"
fi

"$mnist" --help >out 2>err || fail "help"
grep -q -e --code-learning-rate out || fail "help"

refused '--nonsense' "$mnist" --data data --nonsense
refused 'am-adam' "$mnist" --data data --algorithm gradient-magic
refused 'mlp' "$mnist" --data data --model transformer
refused '--epochs' "$mnist" --data data --epochs many
refused 'at least 1, got 0' "$mnist" --data data --batch 0
refused '--hidden' "$mnist" --data data --hidden 8,-1
refused '--mu' "$mnist" --data data --algorithm adam --mu 1
refused 'learning_rate' "$mnist" --data data --learning-rate -1
refused '--limit: expected 1 to 300' "$mnist" --data data --limit 301
refused 'TimeLimit: seconds' "$mnist" --data data --time-limit 0
refused '--patience' "$mnist" --data data --patience 0
refused 'batch of 1 sample' "$mnist" --data data --batch 299
refused 'download.sh' "$mnist" --hidden 8
refused 'train-images-idx3-ubyte' "$mnist" --data nowhere
refused 'nowhere/history.csv' "$mnist" --data data --history nowhere/history.csv
refused 'not a file' "$mnist" --data data --history data

# A run that fails later leaves the old file as it is.
echo old >kept.csv
refused 'got none' "$mnist" --data nowhere --history kept.csv
[[ $(<kept.csv) == old ]] || fail "kept.csv"
head -c 100 data/train-images-idx3-ubyte >short && mv short data/train-images-idx3-ubyte
refused 'train-images-idx3-ubyte, byte 100' "$mnist" --data data

# Training that diverges says so, and still reports.
write_part train 300
status=0
rate=1e38
train --algorithm sgd --no-batch-norm --quiet || status=$?
[[ $status -eq 1 ]] || fail "status of a diverging run"
grep -q '^mnist: training failed: step .*not finite' err || fail "reason of a diverging run"
[[ $(field steps) =~ ^[0-9]+$ ]] || fail "report of a diverging run"
