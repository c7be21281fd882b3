#!/usr/bin/env bash
# run.sh [PRESET [OPTION...]]: builds a preset (release unless named) with the given options of cmake, and runs its tests.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${1:-release}
[[ -w ${HOME:-} ]] || export CCACHE_DISABLE=1 # it keeps its files there

cmake/install_packages.sh
cmake --preset "$preset" "${@:2}"
cmake --build --preset "$preset" -j "$(nproc)"
ctest --preset "$preset"
