#!/usr/bin/env bash
# --distributed of the trainer `mnist`: several ranks train one network, as one does; a run that is killed goes on.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
mnist=$(example mnist)
command -v mpirun >/dev/null || { echo "skipped: mpirun is not installed" && exit 77; }
"$mnist" --help | grep -q -e --distributed || { echo "skipped: the trainers are built without MPI" && exit 77; }

# As root, and more ranks than processors.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

write_data 300 60

on() { # RANKS OPTION...
  timeout 60 mpirun -n "$1" "$mnist" --data data --distributed "${@:2}" >out 2>err
}
same() { cmp "$1" "$2" >&2 || fail "$1 and $2 differ"; }
near() { awk "BEGIN {d = $1 - $2; exit !(d < 1e-3 && d > -1e-3)}" || fail "$3: expected $2, got $1"; }

options=(--hidden 8,6 --batch 20 --learning-rate 0.02 --seed 3 --limit 290 --schedule constant)
for algorithm in am-adam am-mem am-mem-full am-mem-descent am-sgd adam sgd backprop-mem; do
  named=(--algorithm $algorithm --epochs 3 --no-batch-norm)
  "$mnist" --data data --quiet "${options[@]}" "${named[@]}" >out 2>err || fail "$algorithm on its own"
  loss=$(field train_loss)
  on 1 "${options[@]}" "${named[@]}" --quiet || fail "$algorithm on 1"
  [[ $(field train_loss) == "$loss" && $(field ranks) -eq 1 ]] || fail "$algorithm on 1: the same"
  on 3 "${options[@]}" "${named[@]}" --quiet || fail "$algorithm on 3"
  near "$(field train_loss)" "$loss" "$algorithm on 3"
  [[ $(field ranks) -eq 3 ]] || fail "ranks"
done

# Rank 0 alone prints, and writes files.
on 2 "${options[@]}" --epochs 4 --save whole --history whole.csv || fail "whole"
[[ $(grep -c '^epoch ./4  loss' err) -eq 4 ]] || fail "a line for each epoch"
[[ $(grep -c '^{' out) -eq 1 && $(wc -l <whole.csv) -eq 5 ]] || fail "what is printed"

# The same bytes in every run; a run goes on, on as many ranks to the same bytes, on others as well.
on 2 "${options[@]}" --epochs 4 --save again --quiet || fail "again"
same whole again
on 2 "${options[@]}" --epochs 2 --save part --quiet || fail "part"
cp part half
on 2 --resume part --epochs 4 --save part --quiet || fail "resume"
same whole part
for ranks in 1 3; do
  on $ranks --resume half --epochs 4 --quiet || fail "resume on $ranks"
  [[ $(field epochs) -eq 4 ]] || fail "epochs of what was resumed on $ranks"
done
"$mnist" --data data --resume half --epochs 4 --quiet >out 2>err || fail "resume on its own"

# A rank that is killed, at whatever moment, ends the job soon; what it has saved goes on to the bytes of a run that was
# not stopped.
long=("${options[@]}" --save killed --save-every 3 --quiet)
for turn in 1 2 3; do
  rm -f killed
  timeout 60 mpirun -n 3 "$mnist" --data data --distributed "${long[@]}" --epochs 100000 >out 2>err &
  job=$!
  for _ in {1..200}; do
    [[ ! -e killed ]] || break
    sleep 0.05
  done
  sleep 0.$((turn * 2))
  mapfile -t ranks < <(pgrep -P "$(pgrep -P $job -x mpirun)" -x mnist)
  [[ ${#ranks[@]} -eq 3 ]] || fail "expected 3 ranks, got ${#ranks[@]}"
  kill -KILL "${ranks[turn - 1]}"
  start=$SECONDS
  status=0
  wait $job || status=$?
  [[ $status -ne 0 && $((SECONDS - start)) -lt 10 ]] || fail "status $status after $((SECONDS - start)) s"
  cp killed left
  on 3 --resume left --epochs 100000 --time-limit 1e-9 --quiet || fail "resume what was killed"
  epochs=$(($(field epochs) + 2))
  on 3 --resume killed --epochs $epochs --save killed --quiet || fail "resume what was killed"
  on 3 "${options[@]}" --epochs $epochs --save unbroken --quiet || fail "unbroken"
  same unbroken killed
done

# A rank that fails ends the job, with its sentence.
status=0
on 3 "${options[@]}" --save nowhere/run || status=$?
[[ $status -ne 0 ]] || fail "a rank fails, the job does not"
grep -q '^mnist: rank 0: --save: cannot write nowhere/run: No such file' err || fail "sentence of a failure"
status=0
on 2 "${options[@]}" --algorithm am-recursive --no-batch-norm || status=$?
[[ $status -ne 0 ]] || fail "am-recursive on several ranks"
grep -q '^mnist: rank 0: the signal of AmRecursive does not sum over ranks' err || fail "sentence of a refusal"
