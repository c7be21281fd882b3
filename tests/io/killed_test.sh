#!/usr/bin/env bash
# A run that is killed at twenty moments, and resumed each time, ends with the same bytes as one that is not interrupted.
. "$(dirname "${BASH_SOURCE[0]}")/../examples/setup.sh"
mnist=$(example mnist)

write_data 300 60

options=(--data data --quiet --hidden 64,48 --batch 20 --epochs 100 --threads 2)
"$mnist" "${options[@]}" --save whole >out 2>err || fail "the run that is not interrupted"

RANDOM=1 # the seed of the moments
killed=0
for _ in {1..20}; do
  resume=()
  [[ ! -e run ]] || resume=(--resume run) # where a step takes long, a run may be killed before its first checkpoint
  "$mnist" "${options[@]}" "${resume[@]}" --save run --save-every 3 >out 2>err &
  pid=$!
  sleep 0.$(printf %03d $((RANDOM % 120)))
  kill -KILL $pid 2>/dev/null || true
  status=0
  wait $pid 2>/dev/null || status=$?
  [[ $status -eq 137 || $status -eq 0 ]] || fail "status $status: the checkpoint was damaged"
  [[ $status -eq 0 ]] || killed=$((killed + 1))
done
echo "killed $killed times"
resume=()
[[ ! -e run ]] || resume=(--resume run)
"$mnist" "${options[@]}" "${resume[@]}" --save run >out 2>err || fail "the last part"
cmp run whole || fail "the checkpoints differ"
[[ $(find . -name 'run*' | wc -l) -eq 1 ]] || fail "something left behind"
