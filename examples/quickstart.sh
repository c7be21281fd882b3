#!/usr/bin/env bash
# quickstart.sh: installs what is missing (Debian, as root or with sudo), builds the trainer `mnist`, trains the same
# network on Fashion-MNIST by AM-Adam and by Adam, and leaves their learning curves in quickstart.png.
set -euo pipefail
export LC_ALL=C
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=$PWD
data=/usr/share/datasets/fashion-mnist
epochs=10

fail() {
  echo "quickstart.sh: $*" >&2
  exit 1
}

[[ -w $here ]] || fail "cannot write to $here"
[[ -w ${HOME:-} ]] || export CCACHE_DISABLE=1 # ccache stores its files there
cmake/install_packages.sh dataset-fashion-mnist gnuplot-nox
[[ -d $data ]] || fail "no Fashion-MNIST in $data"
cmake --preset release >/dev/null
cmake --build --preset release --target mnist -j "$(nproc)"

work=$(mktemp -d)
trap 'rm -rf "$work"; rm -f "$here/.quickstart.$$.png"' EXIT
cd "$here"

train() { # ALGORITHM NAME
  printf '\n%s, %s epochs\n' "$2" "$epochs"
  "$source/build/release/examples/mnist" --data "$data" --algorithm "$1" --epochs "$epochs" --history "$work/$1.csv" |
    tail -n 1 >"$work/$1.json"
}

row() { # ALGORITHM NAME
  field() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/' "$work/$algorithm.json"; }
  local algorithm=$1
  awk -v name="$2" -v accuracy="$(field test_accuracy)" -v loss="$(field train_loss)" -v step="$(field seconds_per_step)" \
    -v all="$(field train_seconds)" \
    'BEGIN {printf "%-10s %11.2f %% %15.4f %17.1f ms %13.0f s\n", name, 100 * accuracy, loss, 1000 * step, all}'
}

train am-adam AM-Adam
train adam Adam

gnuplot -c "$source/examples/plot.gnuplot" "$here/.quickstart.$$.png" \
  'Fashion-MNIST, 784-500-500-10 with batch normalization, batches of 200' \
  AM-Adam "$work/am-adam.csv" Adam "$work/adam.csv"
mv -f "$here/.quickstart.$$.png" "$here/quickstart.png"

printf '\n%-10s %13s %15s %20s %15s\n' '' 'test accuracy' 'training loss' 'time of a step' 'training time'
row am-adam AM-Adam
row adam Adam
printf '\nLearning curves: %s\n' "$here/quickstart.png"
