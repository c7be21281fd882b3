#!/usr/bin/env bash
# results.sh DATA [OPTION...]: trains by every algorithm given in ALGORITHMS (default: all) with seeds 1, 2 and 3 and the
# given options of the trainer that TRAINER names (default: mnist), and prints a row of README's table of results for
# each.
set -euo pipefail
export LC_ALL=C
[[ $# -ge 1 ]] || { echo "usage: results.sh DATA [OPTION...]" >&2 && exit 1; }
trainer=$(dirname "${BASH_SOURCE[0]}")/../build/release/examples/${TRAINER:-mnist}
for algorithm in ${ALGORITHMS:-am-adam am-mem am-mem-descent adam sgd}; do
  for seed in 1 2 3; do
    "$trainer" --data "$@" --algorithm "$algorithm" --seed "$seed" --quiet
  done | sed 's/.*"epochs":\([0-9]*\).*"train_loss":\([^,]*\).*"test_accuracy":\([^,]*\),.*/\1 \2 \3/' |
    awk -v algorithm="$algorithm" '
      { epochs = $1; loss += $2 / 3; accuracy += $3 / 3
        if (NR == 1 || $3 < low) low = $3
        if (NR == 1 || $3 > high) high = $3 }
      END { printf "| %s | %d | %.2f (%.2f - %.2f) | %.4f |\n",
                   algorithm, epochs, 100 * accuracy, 100 * low, 100 * high, loss }'
done
