#!/usr/bin/env bash
# Seconds to compile an #include of altmin alone, next to one of Eigen/Core: the median of five each, taken in turns.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."
compiler=(${CXX:-g++} -std=c++17 -O2 -Iinclude -I"${EIGEN_INCLUDE_DIR:-/usr/include/eigen3}")

object=$(mktemp)
trap 'rm -f "$object"' EXIT

seconds() { # HEADER
  local start=$EPOCHREALTIME
  "${compiler[@]}" -x c++ -c -o "$object" - <<<"#include <$1>"
  awk "BEGIN {print $EPOCHREALTIME - $start}"
}

altmin=() eigen=()
for _ in {1..5}; do
  altmin+=("$(seconds altmin/altmin.hpp)")
  eigen+=("$(seconds Eigen/Core)")
done

median() { printf '%s\n' "$@" | sort -n | sed -n 3p; }
a=$(median "${altmin[@]}")
e=$(median "${eigen[@]}")
awk "BEGIN {printf \"altmin/altmin.hpp %.2f s\nEigen/Core        %.2f s\ndifference        %.2f s\n\", $a, $e, $a - $e}"
