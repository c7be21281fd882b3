#!/usr/bin/env bash
# examples/load_in_pytorch.py predicts as the library does, and what numpy writes as PyTorch would is the test data that
# the library reads.
set -euo pipefail
export LC_ALL=C

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
example=$tests/../examples/load_in_pytorch.py
python=
for candidate in python3 /usr/bin/python3; do
  "$candidate" -c 'import numpy' 2>/dev/null && python=$candidate && break
done
[[ -n $python ]] || exit 77 # skipped: there is no numpy

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$python" "$tests/io/write_like_pytorch.py" from_numpy.safetensors from_numpy.txt
cmp from_numpy.safetensors "$tests/io/data/from_numpy.safetensors"

for model in version1 residual; do
  "$python" - "$tests/io/data/$model.txt" <<'PYTHON'
import sys
import numpy as np
np.save("x.npy", np.array([[0.25 * ((7 * i + 3 * t) % 11) - 1.25 for i in range(5)] for t in range(4)], "f"))
np.save("expected.npy", np.loadtxt(sys.argv[1]))
PYTHON
  "$python" "$example" "$tests/io/data/$model.safetensors" x.npy got.npy
  "$python" -c '
import numpy as np
error = np.abs(np.load("got.npy") - np.load("expected.npy")).max()
print("largest difference", error)
raise SystemExit(not error < 1e-5)'
done
