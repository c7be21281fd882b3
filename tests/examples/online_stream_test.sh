#!/usr/bin/env bash
# The example `online_stream` on a small data set.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
online=$(example online_stream)

write_data 300 90

all=am-recursive,am-recursive-blocks,adam,adam-centred,adam-replay,sgd,least-squares,am-mem,am-adam
for drift in none permuted rotated swapped shuffled deranged; do
  "$online" --data data --drift $drift --every 100 --samples 400 --batch 2 --hidden 8 --algorithms $all --seeds 2 \
    --history $drift.csv >out 2>err || fail "$drift"
  [[ $(wc -l <out) -eq 10 ]] || fail "$drift: a line for each algorithm"
  [[ $(head -1 $drift.csv) == samples,am-recursive,am-recursive\ sd,* ]] || fail "$drift: names"
  [[ $(wc -l <$drift.csv) -eq 101 && $(tail -1 $drift.csv) == 400,* ]] || fail "$drift: windows"
done
"$online" --data data --drift none --samples 600 --hidden 8 --algorithms am-recursive,am-mem >out 2>err || fail "learning"
[[ $(awk 'NR > 1 && $2 > 60' out | wc -l) -eq 2 ]] || fail "learning"

# What is the same does not depend on other algorithms, threads, or a stop: completed runs are kept.
run() { "$online" --data data --every 100 --samples 200 --hidden 8 --seeds 2 --tune 2 --tune-samples 100 "$@" >out 2>err; }
without_times() { sed 's/ *[0-9]*$//' "$1"; }
run --history one.csv || fail "one"
without_times out >one
grep -q '^adam, the best of 2: rate ' err || fail "what was tuned"
run --history two.csv --threads 2 --resume runs || fail "two"
cmp one <(without_times out) && cmp one.csv two.csv || fail "threads change the result"
head -c -10 runs >part && mv part runs
run --history three.csv --resume runs || fail "three"
cmp one <(without_times out) && cmp one.csv three.csv || fail "a resumed bench differs"
[[ $(grep -c ' seed ' err) -eq 1 ]] || fail "only the run that was cut is repeated"

# A table: rows of two classes, in constant memory.
awk 'BEGIN {srand(1); for (i = 0; i < 500; ++i) {y = i % 2; printf "%d,%f,%f\n", y, rand() + y, rand()}}' >table.csv
"$online" --table table.csv --samples 500 --hidden 8 --batch 4 --algorithms am-recursive,adam --seeds 1 >out 2>err ||
  fail "table"
grep -q AUC out || fail "AUC"
[[ $(wc -l <out) -eq 3 ]] || fail "lines of a table"

if command -v gnuplot >/dev/null; then
  run --plot curves.png || fail "plot"
  [[ $(head -c 4 curves.png | tail -c 3) == PNG ]] || fail "curves.png"
  [[ $(find . -maxdepth 1 -name 'curves*' | wc -l) -eq 1 ]] || fail "something left beside curves.png"
fi

! "$online" --data nowhere >out 2>err || fail "no data"
[[ $(wc -l <err) -eq 1 ]] || fail "one line"
refused '--algorithms' "$online" --data data --algorithms adams
refused '--noise' "$online" --data data --noise 2
refused '^online_stream: --samples: expected at least 50, the samples of a step (see --batch), got 10$' \
  "$online" --data data --batch 50 --samples 10
refused '--plot: expected another file than that of --history' "$online" --data data --history d.png --plot d.png

# Where standard error is no terminal, each run has a line of its own.
run || fail "progress"
[[ $(grep -c ' seed ' err) -eq 6 ]] || fail "a line for each run"
! grep -q $'\r' err || fail "carriage returns"

fake_gnuplot
status=0
BROKEN_GNUPLOT=1 run --plot d.png || status=$?
[[ $status -eq 1 && $(wc -l <out) -eq 4 ]] || fail "gnuplot fails"
[[ $(tail -1 err) == "online_stream: --plot: gnuplot failed" ]] || fail "message where gnuplot fails"
status=0
"$online" --data data --samples 200 --hidden 8 --seeds 1 >/dev/full 2>err || status=$?
[[ $status -eq 1 ]] || fail "status $status where standard output is full"
tail -1 err | grep -q '^online_stream: cannot write standard output: No space left' || fail "message of a full output"
