#!/usr/bin/env bash
# The Python package: scikit-learn's checks and what python_test.py adds to them.
set -euo pipefail
export LC_ALL=C
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH=${ALTMIN_EXAMPLES_DIR:?where the examples are built}/python PYTHONDONTWRITEBYTECODE=1

if ! compgen -G "$PYTHONPATH/altmin/_network*.so" >/dev/null; then
  echo "skipped: the Python package is not built; it needs python3-dev and pybind11-dev"
  exit 77
fi
python=
for candidate in /usr/bin/python3 python3; do
  "$candidate" -c 'import altmin._network, pytest, sklearn' 2>/dev/null && python=$candidate && break
done
if [[ -z $python ]]; then
  echo "skipped: there is no python3-sklearn, or no python3-pytest"
  exit 77
fi
"$python" -m pytest -q -p no:cacheprovider "$tests/python_test.py"
