#!/usr/bin/env bash
# single_header.sh COMPILER [FLAG...]: the single header is the same each time, and a program on it alone runs.
set -euo pipefail
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
make=$tests/../../cmake/packaging/single_header.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$make" >altmin_single.hpp
"$make" | cmp - altmin_single.hpp
if grep -n '#include "' altmin_single.hpp; then exit 1; fi
if "$make" no.hpp 2>error; then exit 1; fi
grep -q '^single_header.sh: expected a header of include/altmin, got no.hpp$' error

"$@" -Wall -Wextra -Werror -I. "$tests/single_header.cpp" -o program
./program
