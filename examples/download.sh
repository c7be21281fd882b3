#!/usr/bin/env bash
# Fetches MNIST, CIFAR-10 and HIGGS and verifies their checksums. See --help.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: download.sh [mnist] [cifar10] [higgs] [--to DIR] [--mirror URL | --from DIR]

Puts MNIST into DIR/mnist (four IDX files, gzipped, 11 MB), CIFAR-10 into DIR/cifar10 (six .bin files, 184 MB) and HIGGS
into DIR/higgs (HIGGS.csv.gz, 2.8 GB); the first two unless named. A file stands under its name only once its checksum
is verified (of HIGGS, its size and gzip's CRC-32); what is there and valid stays as it is.

  --to DIR      destination (default: $XDG_DATA_HOME/altmin, else ~/.local/share/altmin)
  --mirror URL  fetch URL/train-images-idx3-ubyte.gz, ..., URL/cifar-10-binary.tar.gz, URL/HIGGS.csv.gz (https, http or
                file)
  --from DIR    copy from a local folder: the same files, or CIFAR-10 unpacked (*.bin); they may lie in DIR/mnist,
                DIR/cifar10, DIR/cifar-10-batches-bin, DIR/higgs
TEXT
}

mnist_url=https://ossci-datasets.s3.amazonaws.com/mnist
mnist_files='
f68b3c2dcbeaaa9fbdd348bbdeb94873 train-images-idx3-ubyte.gz
d53e105ee54ea40749a09fcbcd1e9432 train-labels-idx1-ubyte.gz
9fb629c4189551a2d022fa330f9573f3 t10k-images-idx3-ubyte.gz
ec29112dd5afa0611ce80d1b7f02629c t10k-labels-idx1-ubyte.gz'
cifar10_url=https://www.cs.toronto.edu/~kriz
cifar10_archive=cifar-10-binary.tar.gz
cifar10_archive_md5=c32a1d4ab5d03f1284b67883e8d87530
cifar10_files='
5dd7e06a14cb22eb9f671a540d1b7c25 data_batch_1.bin
5ea93a67294ea407fff1d09f752e9692 data_batch_2.bin
942cd6a4bcdd0dd3c604fbe906cb4421 data_batch_3.bin
ae636b3ba5c66a11e91e8cb52e771fcb data_batch_4.bin
53f37980c15c3d472c316c40844f3f0d data_batch_5.bin
803d5f7f4d78ea53de84dbe85f74fb6d test_batch.bin'

higgs_url=https://archive.ics.uci.edu/ml/machine-learning-databases/00280
higgs_file=HIGGS.csv.gz
higgs_bytes=2816407858

work='' # files on their way, in the destination, so that a rename brings them to their names
child=''
clean_up() {
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "download.sh: $*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command that an interrupt stops at once; what it says stands in $work/messages.
run() {
  "$@" 2>"$work/messages" &
  child=$!
  local status=0
  wait "$child" || status=$?
  child=''
  return "$status"
}

reason() { tail -n 1 "$work/messages"; }

md5_of() {
  if has md5sum; then
    md5sum <"$1" | cut -d ' ' -f 1
  elif has md5; then
    md5 -q "$1"
  else
    openssl md5 -r <"$1" | cut -d ' ' -f 1
  fi
}

# is_valid FILE MD5
is_valid() { [ -f "$1" ] && [ "$(md5_of "$1")" = "$2" ]; }

# copy PATH NAME: into $work/NAME, to be written whatever the mode of its source
copy() {
  echo "copying $1"
  run cp -- "$1" "$work/$2" || fail "cannot copy $1: $(reason)"
  chmod u+w "$work/$2"
}

# fetch URL NAME: into $work/NAME
fetch() {
  case $1 in
    file://*)
      local path=${1#file://}
      path=${path#localhost}
      path=$(printf '%b' "${path//%/\\x}") # %20 is a space
      copy "$path" "$2"
      ;;
    *)
      echo "fetching $1"
      if has curl; then
        run curl --fail --location --silent --show-error --retry 3 --connect-timeout 20 --speed-limit 1000 \
          --speed-time 60 --output "$work/$2" "$1" || fail "cannot fetch $1: $(reason)"
      elif has wget; then
        run wget --no-verbose --tries 3 --timeout 60 --output-document "$work/$2" "$1" ||
          fail "cannot fetch $1: $(reason)"
      else
        fail "needs curl or wget to fetch $1"
      fi
      ;;
  esac
}

# find_local NAME FOLDER...: the file of that name in --from, or in one of its folders
find_local() {
  local name=$1 folder
  shift
  for folder in '' "$@"; do
    if [ -f "$from/${folder:+$folder/}$name" ]; then
      echo "$from/${folder:+$folder/}$name"
      return
    fi
  done
  return 1
}

# verify NAME MD5 SOURCE
verify() {
  local got
  got=$(md5_of "$work/$1")
  [ "$got" = "$2" ] || fail "$3: expected $1 with MD5 $2, got $got"
}

# install NAME FOLDER: from $work to its final name
install() {
  [ ! -d "$2/$1" ] || fail "$2/$1 is a directory"
  mv -f -- "$work/$1" "$2/$1" || fail "cannot write $2/$1"
}

# begin FOLDER: makes a place in it for files on their way
begin() {
  mkdir -p -- "$1" 2>/dev/null || fail "cannot make the directory $1"
  work=$(mktemp -d "$1/.download.XXXXXX" 2>/dev/null) || fail "cannot write to $1"
}

# prepare FOLDER FILES: begins, or fails where all is there; sets `missing` to the lines of FILES that are not there and valid
prepare() {
  missing=
  local md5 name
  while read -r md5 name; do
    if [ -n "$name" ] && ! is_valid "$1/$name" "$md5"; then
      if [ -f "$1/$name" ]; then echo "$1/$name has a wrong checksum and will be replaced"; fi
      missing+="$md5 $name"$'\n'
    fi
  done <<<"$2"
  if [ -z "$missing" ]; then
    echo "$1 is complete"
    return 1
  fi
  begin "$1"
}

finish() {
  rm -rf "$work"
  work=''
  echo "$1 is complete"
}

# bring NAME URL FOLDER: into $work/NAME, from --from or its FOLDER, or from URL; sets `source`
bring() {
  if [ -n "$from" ]; then
    source=$(find_local "$1" "$3") || fail "expected $1 in $from or $from/$3, found none"
    copy "$source" "$1"
  else
    source=${mirror:-$2}/$1
    fetch "$source" "$1"
  fi
}

get_mnist() {
  local folder=$to/mnist md5 name source
  prepare "$folder" "$mnist_files" || return 0
  while read -r md5 name; do
    [ -n "$name" ] || continue
    bring "$name" "$mnist_url" mnist
    verify "$name" "$md5" "$source"
    install "$name" "$folder"
  done <<<"$missing"
  finish "$folder"
}

get_cifar10() {
  local folder=$to/cifar10 md5 name source='' archive=''
  prepare "$folder" "$cifar10_files" || return 0
  if [ -z "$from" ]; then
    archive=${mirror:-$cifar10_url}/$cifar10_archive
    fetch "$archive" "$cifar10_archive"
  elif archive=$(find_local "$cifar10_archive" cifar10); then
    copy "$archive" "$cifar10_archive"
  fi
  if [ -n "$archive" ]; then
    verify "$cifar10_archive" "$cifar10_archive_md5" "$archive"
    run tar --no-same-owner --no-same-permissions -xzf "$work/$cifar10_archive" -C "$work" ||
      fail "cannot unpack $archive: $(reason)"
    rm "$work/$cifar10_archive"
  fi
  while read -r md5 name; do
    [ -n "$name" ] || continue
    if [ -n "$archive" ]; then
      source=$archive
      mv "$work/cifar-10-batches-bin/$name" "$work/$name" 2>/dev/null ||
        fail "$archive: expected $name in it, found none"
    else
      source=$(find_local "$name" cifar-10-batches-bin cifar10 cifar10/cifar-10-batches-bin) ||
        fail "expected $cifar10_archive or $name in $from, $from/cifar10 or $from/cifar-10-batches-bin, found neither"
      copy "$source" "$name"
    fi
    verify "$name" "$md5" "$source"
    install "$name" "$folder"
  done <<<"$missing"
  finish "$folder"
}

size_of() { wc -c <"$1" | tr -d ' '; }

get_higgs() {
  local folder=$to/higgs file=$to/higgs/$higgs_file source got
  if [ -f "$file" ] && [ "$(size_of "$file")" = "$higgs_bytes" ]; then
    echo "$folder is complete"
    return
  fi
  if [ -f "$file" ]; then echo "$file has a wrong size and will be replaced"; fi
  begin "$folder"
  bring "$higgs_file" "$higgs_url" higgs
  got=$(size_of "$work/$higgs_file")
  [ "$got" = "$higgs_bytes" ] || fail "$source: expected $higgs_file of $higgs_bytes bytes, got $got"
  run gzip -t "$work/$higgs_file" || fail "$source: damaged: $(reason)"
  install "$higgs_file" "$folder"
  finish "$folder"
}

to='' mirror='' from='' sets=''
while [ $# -gt 0 ]; do
  case $1 in
    --*=*)
      option=${1%%=*} value=${1#*=}
      shift
      set -- "$option" "$value" "$@"
      ;;
    --to | --mirror | --from)
      if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value (see --help)"; fi
      case $1 in
        --to) to=$2 ;;
        --mirror) mirror=${2%/} ;;
        --from) from=$2 ;;
      esac
      shift 2
      ;;
    mnist | cifar10 | higgs)
      sets+=" $1"
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "expected mnist, cifar10, higgs or an option, got $1 (see --help)" ;;
  esac
done
has md5sum || has md5 || has openssl || fail "needs md5sum, md5 or openssl to verify checksums"
if [ -n "$mirror" ] && [ -n "$from" ]; then fail "expected one of --mirror and --from, got both"; fi
if [ -n "$from" ] && [ ! -d "$from" ]; then fail "--from: no directory $from"; fi
if [ -z "$to" ]; then
  [ -n "${XDG_DATA_HOME:-}${HOME:-}" ] || fail "HOME is not set: name a destination with --to DIR"
  to=${XDG_DATA_HOME:-$HOME/.local/share}/altmin
fi
case $to in
  /*) ;;
  *) to=$PWD/$to ;; # a leading - is no option
esac

for name in ${sets:-mnist cifar10}; do "get_$name"; done
