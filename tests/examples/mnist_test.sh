#!/usr/bin/env bash
# The trainer `mnist` on a small data set of its format: what it prints, what it refuses.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
mnist=$(example mnist)

write_data 300 60

rate=0.02
# Recursive AM-mem trains no layers that couple samples, and has rates of another size.
flags_of() { [[ $1 != *recursive* ]] || echo --no-batch-norm; }
parameters_of() { [[ $1 != *recursive* ]] && echo 83 || echo 67; }
rate_of() { [[ $1 != *recursive* ]] && echo 0.02 || echo 300; }
train() { "$mnist" --data data --hidden 8 --epochs 9 --batch 20 --learning-rate "$rate" "$@" >out 2>err; }

check_run() { # NAME
  [[ $(field algorithm) == "\"$1\"" ]] || fail "algorithm"
  [[ $(field model) == '"mlp"' ]] || fail "model"
  [[ $(field parameters) -eq $(parameters_of "$1") ]] || fail "parameters" # 4 * 8 + 8, 8 + 8, 8 * 3 + 3
  [[ $(field epochs) -eq 9 ]] || fail "epochs"
  [[ $(field steps) -eq 135 ]] || fail "steps"
  for name in train_loss test_accuracy train_seconds seconds_per_step; do
    [[ $(field $name) =~ ^[0-9] ]] || fail "$name"
  done
  awk "BEGIN {exit !($(field test_accuracy) > 0.9)}" || fail "$1 does not learn"
  [[ $(grep -c '^epoch ./9  loss' err) -eq 9 ]] || fail "a line for each epoch"
}
named=(am-adam am-mem am-mem-full am-mem-descent am-recursive am-sgd adam adam-centred sgd backprop-mem)
for algorithm in "${named[@]}"; do
  rate=$(rate_of "$algorithm") train --algorithm "$algorithm" $(flags_of "$algorithm") || fail "$algorithm"
  check_run "$algorithm"
  field train_loss >"$algorithm.loss"
done

# A signal and a rule make the same algorithm as its name.
pairs=(codes+adam codes+memory codes+memory-full codes+descent exact+recursive codes+sgd backprop+adam backprop+adam-centred backprop+sgd backprop+memory)
for i in "${!pairs[@]}"; do
  pair=${pairs[i]}
  rate=$(rate_of "$pair") train --signal "${pair%+*}" --rule "${pair#*+}" $(flags_of "$pair") || fail "$pair"
  check_run "$pair"
  [[ $(field train_loss) == $(<"${named[i]}.loss") ]] || fail "$pair is not ${named[i]}"
done

train --history history.csv --limit 40 --no-batch-norm --quiet --threads 1 || fail "history"
[[ $(wc -l <out) -eq 1 && ! -s err ]] || fail "quiet"
[[ $(field steps) -eq 18 && $(field parameters) -eq 67 ]] || fail "limit, no batch norm"
[[ $(wc -l <history.csv) -eq 10 ]] || fail "history.csv"
[[ $(find . -maxdepth 1 -name 'history*' | wc -l) -eq 1 ]] || fail "something left beside history.csv"
loss=$(field train_loss)
train --limit 40 --no-batch-norm --quiet --threads 2 || fail "threads"
[[ $(field train_loss) == "$loss" ]] || fail "the number of threads changes the result"

train --model resmlp --depth 20 --leaky-slope 0.1 --label-smoothing 0.1 --warm-up 2 || fail "resmlp"
[[ $(field parameters) -eq 1827 ]] || fail "parameters of resmlp" # 4 * 8 + 8, 20 * (8 * 8 + 8 + 8 + 8), 8 * 3 + 3
awk "BEGIN {exit !($(field test_accuracy) > 0.9)}" || fail "resmlp does not learn"
train --depth 3 --leaky-slope 0.5 --no-batch-norm --quiet || fail "depth"
[[ $(field parameters) -eq 211 ]] || fail "parameters of three hidden layers" # 4 * 8 + 8, 2 * (8 * 8 + 8), 8 * 3 + 3

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

# Options name files by the same rules: what is replaced keeps its mode, what is read-only stays, a link is followed.
echo old >kept.csv
chmod 600 kept.csv
ln -s there.csv link.csv
train --history kept.csv --quiet || fail "history that is there"
[[ $(stat -c %a kept.csv) == 600 && $(wc -l <kept.csv) -eq 10 ]] || fail "mode of kept.csv"
train --history link.csv --quiet || fail "history by a link"
[[ -L link.csv && $(wc -l <there.csv) -eq 10 ]] || fail "link.csv"
chmod 444 kept.csv
for option in history save plot; do
  refused "--$option: cannot write kept.csv: it is read-only" "$mnist" --data data --$option kept.csv
done
[[ $(wc -l <kept.csv) -eq 10 ]] || fail "kept.csv"
for other in there.csv link.csv ./there.csv; do
  refused '--history: expected another file than that of --save' "$mnist" --data data --save there.csv --history $other
done
refused '--history: expected another file than that of --save' "$mnist" --data data --save a --history a.part

# In place: a log keeps what it has, and the result stays the last line.
echo before >log
"$mnist" --data data --hidden 8 --epochs 2 --batch 20 --quiet --history /dev/stdout >>log 2>err || fail "in place"
cp log out
[[ $(wc -l <log) -eq 5 && $(head -1 log) == before ]] || fail "log" # a table of three lines, once
[[ $(sed -n 2p log) == epoch,* && $(field epochs) -eq 2 ]] || fail "table and result in the log"
"$mnist" --data data --hidden 8 --epochs 2 --batch 20 --quiet --history >(cat >through.csv; touch passed) >out 2>err ||
  fail "pipe"
while [[ ! -e passed ]]; do sleep 0.05; done
[[ $(wc -l <through.csv) -eq 3 ]] || fail "through.csv"

# What cannot be printed or drawn is an error, and the result is printed all the same.
status=0
"$mnist" --data data --hidden 8 --epochs 1 --batch 20 --quiet >/dev/full 2>err || status=$?
[[ $status -eq 1 ]] || fail "status $status where standard output is full"
[[ $(<err) == "mnist: cannot write standard output: No space left on device" ]] || fail "message of a full output"
status=0
"$mnist" --help >/dev/full 2>err || status=$?
[[ $status -eq 1 ]] || fail "status $status of help where standard output is full"
status=0
{ "$mnist" --data data --hidden 8 --epochs 3 --batch 20 --save piped 2>err || echo $? >status; } | true
[[ $(<status) -eq 1 && -s piped ]] || fail "a reader that is gone"
status=0
train --history /dev/full --quiet || status=$?
[[ $status -eq 1 && $(field epochs) -eq 9 ]] || fail "history that cannot be written"
[[ $(<err) == "mnist: cannot write /dev/full: No space left on device" ]] || fail "message of a full history"
(
  fake_gnuplot
  echo old >curves.png
  status=0
  BROKEN_GNUPLOT=1 train --plot curves.png --quiet || status=$?
  [[ $status -eq 1 && $(field epochs) -eq 9 ]] || fail "gnuplot fails"
  [[ $(<err) == "mnist: --plot: gnuplot failed" && $(<curves.png) == old ]] || fail "message where gnuplot fails"
  for table in curves.png.csv curves.png.part.csv curves.png.part.confusion.csv; do
    train --plot curves.png --history $table --quiet || fail "plot"
    [[ $(head -c 4 curves.png | tail -c 3) == PNG && $(wc -l <$table) -eq 10 ]] || fail "$table"
    rm $table
  done
  [[ $(find . -maxdepth 1 -name 'curves*' | wc -l) -eq 1 ]] || fail "something left beside curves.png"
  refused '--plot: expected another file than that of --history' "$mnist" --data data --plot a --history a
) || exit 1
[[ $(find . -maxdepth 1 -name '*.part*' | wc -l) -eq 0 ]] || fail "something left behind"

"$mnist" --help >out 2>err || fail "help"
grep -q -e --code-learning-rate out || fail "help"

refused '--nonsense' "$mnist" --data data --nonsense
refused 'am-adam' "$mnist" --data data --algorithm gradient-magic
refused 'mlp' "$mnist" --data data --model transformer
refused '--epochs' "$mnist" --data data --epochs many
refused 'at least 1, got 0' "$mnist" --data data --batch 0
refused '--hidden' "$mnist" --data data --hidden 8,-1
refused '--mu' "$mnist" --data data --algorithm adam --mu 1
refused '^mnist: ExactCodes: layer 1 (BatchNorm): expected layers that do not couple samples' \
  "$mnist" --data data --hidden 8 --algorithm am-recursive
refused '--code-iterations' "$mnist" --data data --signal backprop --rule memory --code-iterations 3
refused '--weight-decay: .* got am-mem-descent$' "$mnist" --data data --algorithm am-mem-descent --weight-decay 0.1
refused '^mnist: --signal, --rule: expected one of .*, got backprop+descent$' \
  "$mnist" --data data --signal backprop --rule descent
refused '^mnist: --signal requires --rule' "$mnist" --data data --signal codes
refused '^mnist: --rule requires --signal' "$mnist" --data data --rule adam
refused '^mnist: --.* excludes --.*' "$mnist" --data data --signal codes --rule adam --algorithm am-adam
refused '^mnist: --signal: ' "$mnist" --data data --signal smoke --rule adam
refused '^mnist: --rule: ' "$mnist" --data data --signal codes --rule exact
refused '^mnist: --threads: expected a whole number of 0 to 1024, got 1025' "$mnist" --data data --threads 1025
refused 'learning_rate' "$mnist" --data data --learning-rate -1
refused '--leaky-slope: expected --model mlp or resmlp, got sign' "$mnist" --data data --model sign --leaky-slope 0.3
refused 'slope must be 0 to 1, got 2' "$mnist" --data data --leaky-slope 2
refused '--warm-up: expected --schedule cosine, got halve' "$mnist" --data data --schedule halve --warm-up 1
refused 'label_smoothing must be 0 to below 1, got 1' "$mnist" --data data --hidden 8 --label-smoothing 1
refused '--limit: expected 1 to 300' "$mnist" --data data --limit 301
refused 'TimeLimit: seconds' "$mnist" --data data --time-limit 0
refused '--patience' "$mnist" --data data --patience 0
refused 'batch of 1 sample' "$mnist" --data data --batch 299
refused 'download.sh' "$mnist" --hidden 8
refused 'train-images-idx3-ubyte' "$mnist" --data nowhere
refused 'nowhere/history.csv' "$mnist" --data data --history nowhere/history.csv
refused 'not a file' "$mnist" --data data --history data

# A run that fails later leaves the old file as it is.
rm kept.csv
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
grep -q '^mnist: training failed: step [0-9]*: .*finite; no weight moved$' err || fail "reason of a diverging run"
[[ $(field steps) =~ ^[0-9]+$ ]] || fail "report of a diverging run"
