#!/usr/bin/env bash
# Runs clang-tidy on the headers, by programs that use most of them: data sets, all algorithms and callbacks in float,
# and a layer of one's own in double.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."
flags=(-std=c++17 -Iinclude -isystem "${EIGEN_INCLUDE_DIR:-/usr/include/eigen3}" -DALTMIN_EXAMPLES_DIR='""')

printf '%s\n' examples/trainer/train.cpp examples/own_layer.cpp |
  xargs -P "$(nproc)" -I{} clang-tidy --quiet --warnings-as-errors='*' {} -- "${flags[@]}"
