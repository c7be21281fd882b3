#!/usr/bin/env bash
# The examples of extensions run, and find their derivatives right.
set -euo pipefail
export LC_ALL=C

cd "${ALTMIN_EXAMPLES_DIR:?where the examples are built}"
[[ -x own_layer && -x own_loss && -x own_algorithm ]] || exit 77 # skipped: the examples are not built

for example in own_layer own_loss own_algorithm; do
  echo "== $example"
  "./$example"
done
