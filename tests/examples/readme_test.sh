#!/usr/bin/env bash
# README's programs are those among the examples to the letter, and do what README says.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

program() { # PAGE NUMBER: of its pieces of C++
  awk -v number="$2" '/^```/ {inside = $0 == "```cpp" && ++pieces == number; next} inside' "$root/$1"
}
same() { # PAGE NUMBER EXAMPLE: but for its first two lines, which are about README
  diff <(program "$1" "$2") <(tail -n +3 "$root/examples/$3.cpp")
}
same README.md 1 minimal
same README.md 2 higgs_stream
same docs/getting_started.md 1 minimal

stream=${ALTMIN_EXAMPLES_DIR:?where the examples are built}/higgs_stream
if [[ -x $stream ]]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  # Raw features of different sizes; the label is whether two of them are above their means.
  awk 'BEGIN {
    srand(1)
    for (i = 0; i < 30000; ++i) {
      a = 1000 + rand(); b = rand() / 100; c = rand()
      print ((a > 1000.5) == (b > 0.005)) "," a "," b "," c
    }
  }' OFMT=%.6f >"$folder/rows.csv"
  (cd "$folder" && "$stream" <rows.csv 2>/dev/null) | tee /dev/stderr | awk '
    /^5000 samples, loss [0-9.]+, accuracy [0-9.]+ %/ {good = $6 + 0 > 85}
    END {exit !(good && $0 ~ /^ *[01]( +[01])+ *$/)} # the last line: five classes'
fi

minimal=$ALTMIN_EXAMPLES_DIR/minimal
[[ -x $minimal && -d /usr/share/datasets/fashion-mnist ]] || exit 77 # skipped: not built, or without its data
"$minimal" 2>/dev/null | tee /dev/stderr | awk '
  /^10000 samples, loss [0-9.]+, accuracy [0-9.]+ %$/ {good = $6 > 85}
  END {exit !(good && $0 + 0 > 0)} # the last line: a loss'
