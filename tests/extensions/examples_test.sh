#!/usr/bin/env bash
# The examples of extensions run, and find their derivatives right.
set -euo pipefail
export LC_ALL=C

for example in own_layer own_loss own_algorithm; do
  program=${ALTMIN_EXAMPLES_DIR:?where the examples are built}/$example
  [[ -x $program ]] || exit 77 # skipped: the examples are not built
  echo "== $example"
  "$program"
done
