#!/usr/bin/env bash
# The trainer `higgs` on a small table: what it prints, what it refuses, and that a run goes on to the same bytes.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
higgs=$(example higgs)

# 3 features; the label says whether the first two have the same sign
awk 'BEGIN {
  srand(1)
  for (i = 0; i < 1500; ++i) {
    a = rand() - 0.5; b = rand() - 0.5
    printf "%.18e,%.18e,%.18e,%.6f\n", (a * b > 0), a, 1000 + b, i
  }
}' >table.csv
gzip -c table.csv >table.csv.gz

run() { "$higgs" --hidden 16 --batch 20 --test-rows "${test_rows:-300}" "$@" >out 2>err; }

run --data table.csv.gz --epochs 20 --learning-rate 0.01 || fail "train"
[[ $(field epochs) -eq 20 && $(field steps) -eq 1200 ]] || fail "steps"
[[ $(field samples) -eq 1200 && $(field test_rows) -eq 300 ]] || fail "rows"
awk "BEGIN {exit !($(field test_accuracy) > 0.9 && $(field test_auc) > 0.95)}" || fail "it does not learn"
[[ $(grep -c 'rows/s  accuracy .* AUC' err) -eq 20 ]] || fail "a line for each epoch"

# The same by a pipe, in a single pass; and from the directory
run --data table.csv --schedule constant --save file.run --evaluate-every 25 || fail "file"
[[ $(grep -c AUC err) -eq 3 ]] || fail "evaluations within the epoch"
cat table.csv.gz | run --data - --save pipe.run || fail "pipe" # its length is unknown: a constant rate
mkdir -p share/altmin/higgs && cp table.csv.gz share/altmin/higgs/HIGGS.csv.gz
run --schedule constant --save place.run --quiet --threads 1 || fail "usual place"
[[ $(wc -l <out) -eq 1 && ! -s err ]] || fail "quiet"
cmp file.run place.run || fail "threads or place change the result"

# Runs that stop in the middle of the first and of the second pass go on to the same bytes.
run --data table.csv --epochs 3 --save whole.run || fail "whole"
run --data table.csv --epochs 3 --save part.run --time-limit 1e-9 || fail "part"
[[ $(field steps) -eq 1 ]] || fail "one step"
run --data table.csv --resume part.run --save part.run || fail "resume"
cmp whole.run part.run || fail "a run resumed in its first pass ends otherwise"
run --data table.csv --epochs 3 --schedule constant --save whole.run || fail "whole"
run --data table.csv --epochs 1 --schedule constant --save part.run || fail "first pass"
run --data table.csv --epochs 3 --resume part.run --save part.run --time-limit 1e-9 || fail "part"
[[ $(field steps) -eq 61 ]] || fail "one step of the second pass"
run --data table.csv --resume part.run --save part.run || fail "resume"
cmp whole.run part.run || fail "a run resumed in its second pass ends otherwise"

refused 'nowhere: expected a file to read' run --quiet --data nowhere
refused 'no HIGGS.csv.gz' run --quiet --data .
test_rows=5000 refused 'expected more than 5000 rows' run --quiet --data table.csv
cat table.csv | refused 'only once' run --quiet --data - --epochs 2
refused '--patience' run --quiet --data table.csv --patience 2
sed '700s/,/,x/' table.csv >bad.csv
refused 'bad.csv, line 700, column 2: expected a number' run --quiet --data bad.csv
run --data bad.csv --skip-bad-rows || fail "skip"
[[ $(field skipped_rows) -eq 1 && $(field samples) -eq 1199 ]] || fail "skipped rows"
head -c 20000 table.csv.gz >cut.csv.gz
refused 'cut.csv.gz, line [0-9]*: expected sound gzip data, got: unexpected end of file' run --quiet --data cut.csv.gz

# An interruption while a pipe gives no more rows is saved, and the run goes on to the same bytes from the whole table.
options=(--reservoir 100 --schedule constant --epochs 1)
run --data table.csv "${options[@]}" --save whole.run || fail "whole"
stalled() { # FILE SIGNAL...
  rm -f stalled.run
  mkfifo pipe
  sleep 100 >pipe & # keeps the pipe open
  local holder=$! status=0 pid signal
  "$higgs" --hidden 16 --batch 20 --test-rows 300 --data - "${options[@]}" --save stalled.run --save-every 31 \
    <pipe >out 2>err &
  pid=$!
  cat "$1" >pipe
  await_training $pid
  if [[ -n ${step:-} ]]; then # the last one before it waits: the rows that are there, without test rows and reservoir
    for _ in {1..600}; do [[ ! -e stalled.run ]] || break; sleep 0.05; done
    [[ -e stalled.run ]] || fail "it does not come to step 31"
  fi
  for signal in "${@:2}"; do kill -$signal $pid; done
  wait $pid || status=$?
  kill $holder
  wait $holder 2>/dev/null || true
  rm pipe
  [[ $status -eq $((128 + $(kill -l "$2"))) ]] || fail "status $status after ${*:2}"
  grep -q '^higgs: interrupted after step [0-9]*; saved in stalled.run$' err || fail "message after ${*:2}"
  [[ $(field steps) =~ ^[0-9]+$ ]] || fail "report after ${*:2}"
}
for signals in INT TERM 'INT INT'; do
  # shellcheck disable=SC2086
  step=31 stalled table.csv $signals
  run --data table.csv --resume stalled.run --save stalled.run || fail "resume"
  cmp whole.run stalled.run || fail "a run interrupted on a stalled pipe ends otherwise"
done
head -100 table.csv >beginning.csv
stalled beginning.csv INT # before the test rows are there
[[ $(field steps) -eq 0 && $(field test_accuracy) == null && $(field test_loss) == null ]] || fail "undefined figures"
! grep -q nan out err || fail "nan"
run --data table.csv --resume stalled.run --save stalled.run || fail "resume"
cmp whole.run stalled.run || fail "a run interrupted before its first step ends otherwise"

# Another table of as many rows is not the run's.
run --data table.csv --epochs 3 --schedule constant --save part.run --time-limit 1e-9 || fail "part"
sed '5s/000$/500/' table.csv >other.csv
refused '^higgs: part.run: fit.data: expected the training data of the run' run --data other.csv --resume part.run --quiet
