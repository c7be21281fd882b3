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
