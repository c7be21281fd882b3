#!/usr/bin/env bash
# results.sh DATA [OPTION...]: trains by every algorithm given in ALGORITHMS (default: five of them) with every seed given
# in SEEDS (default: 1 2 3) and these options of the trainer that TRAINER names (default: mnist). Prints for each
# algorithm the cells of a row as in docs/choosing.md: algorithm, epochs, seeds, test accuracy, training loss, and seconds
# an epoch.
set -euo pipefail
export LC_ALL=C
[[ $# -ge 1 ]] || { echo "usage: results.sh DATA [OPTION...]" >&2 && exit 1; }
trainer=$(dirname "${BASH_SOURCE[0]}")/../build/release/examples/${TRAINER:-mnist}
field() { sed -n 's/.*"'"$1"'":\([^,}]*\).*/\1/p' <<<"$report"; } # NAME
for algorithm in ${ALGORITHMS:-am-adam am-mem am-mem-descent adam sgd}; do
  for seed in ${SEEDS:-1 2 3}; do
    report=$("$trainer" --data "$@" --algorithm "$algorithm" --seed "$seed" --quiet)
    echo "$(field epochs) $(field train_loss) $(field test_accuracy) $(field train_seconds)"
  done |
    awk -v algorithm="$algorithm" '
      { epochs = $1; loss += $2; accuracy += $3; seconds += $4 / $1
        if (NR == 1 || $3 < low) low = $3
        if (NR == 1 || $3 > high) high = $3 }
      END { if (NR) printf "| %s | %d | %d | %.2f (%.2f - %.2f) | %.4f | %.2g |\n", algorithm, epochs, NR,
                   100 * accuracy / NR, 100 * low, 100 * high, loss / NR, seconds / NR }'
done
