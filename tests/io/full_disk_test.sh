#!/usr/bin/env bash
# Where the disk is full, a trainer says so in one line, and the last checkpoint stays as it is.
if [[ -z ${ALTMIN_TEST_MAY_MOUNT:-} ]]; then # in a name space of its own, so that no other process sees the small disk
  unshare -rm true 2>/dev/null || exit 77    # skipped: not allowed here
  ALTMIN_TEST_MAY_MOUNT=1 exec unshare -rm "$0"
fi
. "$(dirname "${BASH_SOURCE[0]}")/../examples/setup.sh"
trap 'umount "$work/disk" 2>/dev/null || true; rm -rf "$work"' EXIT
mnist=$(example mnist)

mkdir disk
write_data 300 60
mount -t tmpfs -o size=256k tmpfs disk 2>/dev/null || exit 77 # skipped: not allowed here

train() { "$mnist" --data data --quiet --hidden 40,30 --batch 20 "$@" >out 2>err; }
train --epochs 2 --save disk/run --history disk/run.csv || fail "a disk with room"
cp disk/run disk/run.csv .
head -c 1M /dev/zero >disk/zeros 2>/dev/null || true
truncate -s -8k disk/zeros

status=0
train --resume disk/run --epochs 4 --save disk/run || status=$?
[[ $status -eq 1 && ! -s out ]] || fail "status $status on a full disk"
[[ $(<err) == "mnist: cannot write disk/run: No space left on device" ]] || fail "message"
cmp run disk/run || fail "the old checkpoint"
[[ $(find disk -name '*.part' | wc -l) -eq 0 ]] || fail "something left behind"

# A table that cannot be written does not end training, and its old content stays.
head -c 1M /dev/zero >>disk/zeros 2>/dev/null || true
status=0
train --epochs 3 --history disk/run.csv || status=$?
cmp run.csv disk/run.csv || fail "the old table"
[[ $status -eq 1 && $(wc -l <out) -eq 1 && $(field epochs) -eq 3 ]] || fail "status $status of a full table"
[[ $(<err) == "mnist: cannot write disk/run.csv: No space left on device" ]] || fail "message of a full table"

rm disk/zeros
train --resume disk/run --epochs 4 --save disk/run || fail "with room again"
