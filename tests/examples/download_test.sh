#!/usr/bin/env bash
# shellcheck disable=SC2046,SC2086,SC2116,SC2012 # lists of names are split on purpose
# Tests examples/download.sh without a network: made-up files, of which a stand-in for md5sum says that they are the
# published ones, and a stand-in for curl. usage: download_test.sh [PATH OF download.sh]
set -euo pipefail

script=${1:-$(cd "$(dirname "$0")/../.." && pwd)/examples/download.sh}
real_md5sum=$(command -v md5sum) || { echo "skipped: no md5sum" && exit 77; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
unset XDG_DATA_HOME
export HOME=$place/home
mkdir "$place/bin" "$HOME"

# Answers with the checksum that "real published" lines in the table give for a file, else with the real one.
cat >"$place/bin/md5sum" <<TEXT
#!/bin/sh
sum=\$("$real_md5sum" | cut -d ' ' -f 1)
known=\$(grep "^\$sum " "$place/table" | cut -d ' ' -f 2)
echo "\${known:-\$sum}  -"
TEXT
# The same for the size of HIGGS: that of any file which says so within.
cat >"$place/bin/wc" <<TEXT
#!/bin/sh
cat >"$place/counted"
if gzip -dc "$place/counted" 2>/dev/null | grep -q published; then echo 2816407858; else $(command -v wc) "\$@" <"$place/counted"; fi
TEXT
chmod +x "$place/bin/md5sum" "$place/bin/wc"
export PATH=$place/bin:$PATH

failures=0
check() { # check WHAT COMMAND...
  local what=$1
  shift
  if ! "$@"; then
    echo "FAILED: $what"
    failures=$((failures + 1))
  fi
}

# attempt STATUS ARGUMENTS...: runs the script, checks its exit status, and that a failure says one line
attempt() {
  local expected=$1 status=0
  shift
  "$script" "$@" >"$place/out" 2>"$place/err" || status=$?
  check "exit status $expected of download.sh $*, got $status: $(cat "$place/err")" [ "$status" = "$expected" ]
  if [ "$expected" = 0 ]; then
    check "no error from download.sh $*" [ ! -s "$place/err" ]
  else
    check "one line of error from download.sh $*" [ "$(grep -c '' "$place/err")" = 1 ]
  fi
}

says() { check "\"$2\" in $1: $(cat "$place/$1")" grep -qF -- "$2" "$place/$1"; }

# holds FOLDER FILE...: these files and no other, hidden ones included
holds() {
  local folder=$1 expected got
  shift
  expected=$(printf '%s\n' "$@" | sort)
  got=$(find "$folder" -mindepth 1 2>/dev/null | sed "s|^$folder/||" | sort)
  check "$folder holds ($(echo $expected)), got ($(echo $got))" [ "$expected" = "$got" ]
}

# make NAME PUBLISHED: a made-up file in source/ that counts as the published one
make() {
  echo "content of $1" >"$source/$1"
  echo "$("$real_md5sum" <"$source/$1" | cut -d ' ' -f 1) $2" >>"$place/table"
}

source=$place/source
mkdir "$source"
mnist='t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz'
make train-images-idx3-ubyte.gz f68b3c2dcbeaaa9fbdd348bbdeb94873
make train-labels-idx1-ubyte.gz d53e105ee54ea40749a09fcbcd1e9432
make t10k-images-idx3-ubyte.gz 9fb629c4189551a2d022fa330f9573f3
make t10k-labels-idx1-ubyte.gz ec29112dd5afa0611ce80d1b7f02629c
bins='data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin'
make data_batch_1.bin 5dd7e06a14cb22eb9f671a540d1b7c25
make data_batch_2.bin 5ea93a67294ea407fff1d09f752e9692
make data_batch_3.bin 942cd6a4bcdd0dd3c604fbe906cb4421
make data_batch_4.bin ae636b3ba5c66a11e91e8cb52e771fcb
make data_batch_5.bin 53f37980c15c3d472c316c40844f3f0d
make test_batch.bin 803d5f7f4d78ea53de84dbe85f74fb6d
mkdir "$source/cifar-10-batches-bin" "$place/unpacked"
for name in $bins; do mv "$source/$name" "$source/cifar-10-batches-bin/"; done
cp "$source"/cifar-10-batches-bin/* "$place/unpacked/"
tar -czf "$source/cifar-10-binary.tar.gz" -C "$source" cifar-10-batches-bin
rm -r "$source/cifar-10-batches-bin"
archive_md5=$("$real_md5sum" <"$source/cifar-10-binary.tar.gz" | cut -d ' ' -f 1)
echo "$archive_md5 c32a1d4ab5d03f1284b67883e8d87530" >>"$place/table"

# Both sets from a folder, to the default destination; again: nothing is done.
attempt 0 --from "$source"
default=$HOME/.local/share/altmin
holds "$default/mnist" $mnist
holds "$default/cifar10" $bins
check "content arrives" cmp -s "$source/train-labels-idx1-ubyte.gz" "$default/mnist/train-labels-idx1-ubyte.gz"
attempt 0 --from "$source"
says out "$default/mnist is complete"
check "nothing is copied twice" [ "$(grep -c '' "$place/out")" = 2 ]

# A damaged file alone is replaced; the destination may have a space, the source be read-only.
to="$place/a b"
chmod a-w "$source"/*
attempt 0 mnist --from="$source" --to="$to"
holds "$to" mnist $(printf 'mnist/%s ' $mnist)
check "files can be written" [ "$(ls -l "$to/mnist/train-labels-idx1-ubyte.gz" | cut -c 3)" = w ]
echo damaged >"$to/mnist/train-labels-idx1-ubyte.gz"
attempt 0 mnist --from "$source" --to "$to"
says out "wrong checksum"
check "one file is copied" [ "$(grep -c ^copying "$place/out")" = 1 ]
check "the file is whole again" cmp -s "$source/train-labels-idx1-ubyte.gz" "$to/mnist/train-labels-idx1-ubyte.gz"
chmod u+w "$source"/*

# Unpacked CIFAR-10; a mirror on disk.
attempt 0 cifar10 --from "$place/unpacked" --to "$place/bins"
holds "$place/bins/cifar10" $bins
mkdir "$place/with space"
cp "$source"/* "$place/with space"
attempt 0 mnist cifar10 --mirror "file://$place/with%20space/" --to "$place/mirrored"
holds "$place/mirrored/mnist" $mnist
holds "$place/mirrored/cifar10" $bins

# A wrong checksum: what came before it stays, nothing of it does, and the next run goes on from there.
mkdir "$place/wrong"
cp "$source"/* "$place/wrong"
echo more >>"$place/wrong/t10k-images-idx3-ubyte.gz"
attempt 1 mnist --from "$place/wrong" --to "$place/partly"
says err "expected t10k-images-idx3-ubyte.gz with MD5 9fb629c4189551a2d022fa330f9573f3, got"
holds "$place/partly/mnist" train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz
attempt 0 mnist --from "$source" --to "$place/partly"
check "two files are left to copy" [ "$(grep -c ^copying "$place/out")" = 2 ]
echo more >>"$place/wrong/cifar-10-binary.tar.gz"
attempt 1 cifar10 --from "$place/wrong" --to "$place/wrong_archive"
says err "expected cifar-10-binary.tar.gz with MD5 c32a1d4ab5d03f1284b67883e8d87530, got"
holds "$place/wrong_archive/cifar10" ""
echo more >>"$place/unpacked/test_batch.bin"
attempt 1 cifar10 --from "$place/unpacked" --to "$place/wrong_bin"
says err "expected test_batch.bin with MD5"
check "no wrong file arrives" [ ! -e "$place/wrong_bin/cifar10/test_batch.bin" ]

# HIGGS, whose size is known, and whose checksum is gzip's own.
echo published >"$place/HIGGS.csv"
gzip "$place/HIGGS.csv"
mkdir "$source/higgs"
mv "$place/HIGGS.csv.gz" "$source/higgs/"
attempt 0 higgs --from "$source" --to "$place/higgs_to"
holds "$place/higgs_to/higgs" HIGGS.csv.gz
attempt 0 higgs --from "$source" --to "$place/higgs_to"
check "nothing is copied twice" [ "$(cat "$place/out")" = "$place/higgs_to/higgs is complete" ]
echo short >"$place/higgs_to/higgs/HIGGS.csv.gz"
attempt 0 higgs --mirror "file://$source/higgs" --to "$place/higgs_to"
says out "wrong size"
check "the table is whole again" cmp -s "$source/higgs/HIGGS.csv.gz" "$place/higgs_to/higgs/HIGGS.csv.gz"
mkdir "$place/short" "$place/damaged"
echo 0 | gzip >"$place/short/HIGGS.csv.gz"
attempt 1 higgs --from "$place/short" --to "$place/higgs_wrong"
says err "expected HIGGS.csv.gz of 2816407858 bytes, got"
head -c -4 "$source/higgs/HIGGS.csv.gz" >"$place/damaged/HIGGS.csv.gz"
attempt 1 higgs --from "$place/damaged" --to "$place/higgs_wrong"
says err "damaged"
attempt 1 higgs --from "$place/bin" --to "$place/higgs_wrong"
says err "found none"
holds "$place/higgs_wrong/higgs" ""

# Bad input and bad places.
attempt 1 --from "$place/none"
says err "no directory $place/none"
attempt 1 mnist --from "$place/bin" --to "$place/nothing"
says err "expected train-images-idx3-ubyte.gz in $place/bin"
holds "$place/nothing/mnist" ""
attempt 1 cifar10 --from "$place/bin" --to "$place/nothing"
attempt 1 mnist --mirror "file://$place/none" --to "$place/nothing"
attempt 1 imagenet
attempt 1 --to
attempt 1 --frob=1
attempt 1 --mirror file:///a --from /b
attempt 1 mnist --from "$source" --to "$place/table"
says err "cannot make the directory"
mkdir -p "$place/taken/mnist/train-images-idx3-ubyte.gz"
attempt 1 mnist --from "$source" --to "$place/taken"
says err "is a directory"
holds "$place/taken/mnist" train-images-idx3-ubyte.gz
attempt 0 --help

# The network fails: curl's reason is told.
cat >"$place/bin/curl" <<'TEXT'
#!/bin/sh
echo "curl: (22) The requested URL returned error: 404" >&2
exit 22
TEXT
chmod +x "$place/bin/curl"
attempt 1 mnist --mirror https://mirror.invalid/mnist --to "$place/offline"
says err "cannot fetch https://mirror.invalid/mnist/train-images-idx3-ubyte.gz: curl: (22)"
holds "$place/offline/mnist" ""

# Interrupted halfway through a download: stops at once, leaves nothing, and the download is stopped too.
cat >"$place/bin/curl" <<TEXT
#!/bin/sh
while [ "\$1" != --output ]; do shift; done
echo half >"\$2"
echo \$\$ >"$place/curl_pid"
exec sleep 30
TEXT
for signal in TERM HUP; do
  rm -f "$place/curl_pid"
  "$script" mnist --to "$place/interrupted" >/dev/null 2>&1 &
  running=$!
  for _ in $(seq 100); do
    if [ -s "$place/curl_pid" ]; then break; fi
    sleep 0.1
  done
  check "a download begins" [ -s "$place/curl_pid" ]
  kill -"$signal" "$running"
  status=0
  wait "$running" 2>/dev/null || status=$?
  check "an exit status above 128 on $signal, got $status" [ "$status" -gt 128 ]
  check "the download stops on $signal" eval "! kill -0 $(cat "$place/curl_pid") 2>/dev/null"
  holds "$place/interrupted/mnist" ""
done

if [ "$failures" != 0 ]; then
  echo "$failures checks failed"
  exit 1
fi
echo "all checks passed"
