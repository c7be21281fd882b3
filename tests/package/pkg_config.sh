#!/usr/bin/env bash
# pkg_config.sh PREFIX CONSUMER COMPILER [FLAG...]: what is installed under PREFIX is found by pkg-config, also once it
# has been moved, and the consumer builds by it alone.
set -euo pipefail
command -v pkg-config >/dev/null || { echo "skipped: there is no pkg-config" && exit 77; }
prefix=$1
consumer=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -r "$prefix" "$work/moved"
pkg() { PKG_CONFIG_PATH=$work/moved/share/pkgconfig pkg-config "$@"; }
pkg --exists --print-errors 'altmin >= 0.1'
[[ $(pkg --cflags altmin-io) == *"$work/moved"* && $(pkg --cflags --libs altmin-data altmin-io) != *"$prefix"* ]]
flags=$(pkg --cflags --libs altmin-data altmin-io)
# shellcheck disable=SC2086 # flags are words
"$@" -DCONSUMER_HAS_io "$consumer" $flags -o "$work/program"
"$work/program"
