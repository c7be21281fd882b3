#!/usr/bin/env bash
# The example `online_stream` on a small data set.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
online=$(example online_stream)

write_data 300 90

for drift in permuted rotated swapped; do
  "$online" --data data --drift $drift --tasks 2 --samples 200 --batch 10 --hidden 8 --forgetting 0.05,0.5 \
    --history $drift.csv >out 2>err || fail "$drift"
  [[ $(wc -l <out) -eq 5 ]] || fail "$drift: a line for each algorithm"
  [[ $(head -1 $drift.csv) == "samples,task,Adam,AM-Adam,AM-mem 0.05,AM-mem 0.5" ]] || fail "$drift: names"
  [[ $(wc -l <$drift.csv) -eq 41 && $(tail -1 $drift.csv) == 400,2,* ]] || fail "$drift: windows"
done

if command -v gnuplot >/dev/null; then
  "$online" --data data --tasks 2 --samples 200 --batch 10 --hidden 8 --plot curves.png >out 2>err || fail "plot"
  [[ $(head -c 4 curves.png | tail -c 3) == PNG ]] || fail "curves.png"
  [[ $(find . -maxdepth 1 -name 'curves*' | wc -l) -eq 1 ]] || fail "something left beside curves.png"
fi

! "$online" --data nowhere >out 2>err || fail "no data"
[[ $(wc -l <err) -eq 1 ]] || fail "one line"
! "$online" --data data --forgetting 2 >out 2>err || fail "forgetting 2"
grep -q forgetting err || fail "forgetting 2"

# Where standard error is no terminal, each task has a line of its own.
run() { "$online" --data data --tasks 2 --samples 200 --hidden 8 --forgetting 0.05 "$@" >out 2>err; }
run --batch 10 || fail "progress"
[[ $(wc -l <err) -eq 6 ]] || fail "a line for each task"
[[ $(sed -n 4p err) == 'AM-Adam: task 2/2' ]] || fail "the line of a task"
! grep -q $'\r' err || fail "carriage returns"

# Too few samples for a step are an error, not a figure that is undefined.
refused '^online_stream: --samples: expected at least 50, the samples of a step (see --batch), got 10$' \
  "$online" --data data --samples 10
refused '^online_stream: --data: training samples: expected at least 301, .*, got 300$' "$online" --data data --batch 301

fake_gnuplot
for table in d.png.csv d.png.part.csv accuracies.csv; do
  run --batch 10 --history $table --plot d.png || fail "history and plot"
  [[ $(wc -l <$table) -eq 41 && $(head -c 4 d.png | tail -c 3) == PNG ]] || fail "$table"
done
[[ $(find . -maxdepth 1 -name 'd.png*' | wc -l) -eq 3 ]] || fail "something left beside d.png"
refused '--plot: expected another file than that of --history' "$online" --data data --history d.png --plot d.png
status=0
BROKEN_GNUPLOT=1 run --batch 10 --plot d.png || status=$?
[[ $status -eq 1 && $(wc -l <out) -eq 4 ]] || fail "gnuplot fails"
[[ $(tail -1 err) == "online_stream: --plot: gnuplot failed" ]] || fail "message where gnuplot fails"
status=0
"$online" --data data --tasks 2 --samples 200 --batch 10 --hidden 8 --forgetting 0.05 >/dev/full 2>err || status=$?
[[ $status -eq 1 ]] || fail "status $status where standard output is full"
tail -1 err | grep -q '^online_stream: cannot write standard output: No space left' || fail "message of a full output"
