#!/usr/bin/env bash
# README's program, and that of docs/getting_started.md, is examples/minimal.cpp to the letter, and does what README says.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

program() { awk '/^```/ {if (inside) exit; inside = $0 == "```cpp"; next} inside' "$root/$1"; }
for page in README.md docs/getting_started.md; do
  diff <(program $page) <(tail -n +3 "$root/examples/minimal.cpp") # but for its first two lines, which are about README
done

minimal=${ALTMIN_EXAMPLES_DIR:?where the examples are built}/minimal
[[ -x $minimal && -d /usr/share/datasets/fashion-mnist ]] || exit 77 # skipped: not built, or without its data
"$minimal" 2>/dev/null | tee /dev/stderr | awk '
  /^10000 samples, loss [0-9.]+, accuracy [0-9.]+ %$/ {good = $6 > 85}
  END {exit !(good && $0 + 0 > 0)} # the last line: a loss'
