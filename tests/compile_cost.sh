#!/usr/bin/env bash
# compile_cost.sh [ROUNDS]: prints what programs cost to compile, the median user seconds and the peak memory of some
# rounds (3) in which all take their turn, and the size of the object. Where MINIDNN_DIR names a checkout of MiniDNN
# (github.com/yixuan/MiniDNN), a program with the same network stands beside them. Flags: CXXFLAGS, else those below.
#
# compile_cost.sh --check compiles README's program once, and fails where it exceeds the bounds on memory and size.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

most_kilobytes=839680 # 820 MB
most_object=2600000   # bytes

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
eigen=${EIGEN_DIR:-/usr/include/eigen3}
read -r -a flags <<<"${CXXFLAGS:--std=c++17 -O2 -march=native -DNDEBUG}"

cat >"$temporary/load_model.cpp" <<'EOF'
#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <iostream>

int main(int, char** argv) {
  const auto net = altmin::load_model<float>(argv[1]);
  std::cout << net << '\n';
}
EOF
cat >"$temporary/minidnn.cpp" <<'EOF'
#include <MiniDNN.h>

int main() {
  using namespace MiniDNN;
  const Eigen::MatrixXd x = Eigen::MatrixXd::Random(784, 200);
  const Eigen::MatrixXd y = Eigen::MatrixXd::Zero(10, 200);
  Network net;
  net.add_layer(new FullyConnected<ReLU>(784, 500));
  net.add_layer(new FullyConnected<ReLU>(500, 500));
  net.add_layer(new FullyConnected<Softmax>(500, 10));
  net.set_output(new MultiClassEntropy());
  Adam adam;
  VerboseCallback callback;
  net.set_callback(callback);
  net.init(0, 0.01, 1);
  net.fit(adam, x, y, 100, 1, 1);
}
EOF

# compile NAME SOURCE [FLAG...]: appends "seconds kilobytes bytes" to the file NAME.
compile() {
  local name=$1 source=$2
  shift 2
  /usr/bin/env time -f '%U %M' -o "$temporary/time" \
    "${CXX:-g++}" "${flags[@]}" "$@" -Iinclude -isystem "$eigen" -c "$source" -o "$temporary/object"
  echo "$(cat "$temporary/time") $(stat -c %s "$temporary/object")" >>"$temporary/$name"
}

if [[ ${1:-} == --check ]]; then
  compile minimal examples/minimal.cpp
  read -r _ kilobytes bytes <"$temporary/minimal"
  echo "examples/minimal.cpp: $kilobytes kB to compile, an object of $bytes bytes"
  ((kilobytes <= most_kilobytes)) || { echo "expected at most $most_kilobytes kB" >&2 && exit 1; }
  ((bytes <= most_object)) || { echo "expected at most $most_object bytes" >&2 && exit 1; }
  exit
fi

for ((round = 0; round < ${1:-3}; ++round)); do
  [[ -z ${MINIDNN_DIR:-} ]] || compile minidnn "$temporary/minidnn.cpp" -I"$MINIDNN_DIR/include"
  compile minimal examples/minimal.cpp
  compile minimal-compiled examples/minimal.cpp -DALTMIN_COMPILED -DALTMIN_COMPILED_DATA -DALTMIN_COMPILED_IO
  compile own_layer examples/own_layer.cpp
  compile load_model "$temporary/load_model.cpp"
  compile load_model-compiled "$temporary/load_model.cpp" -DALTMIN_COMPILED -DALTMIN_COMPILED_DATA -DALTMIN_COMPILED_IO
done

median() { # NAME COLUMN
  cut -d' ' -f"$2" "$temporary/$1" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
printf '%-44s %8s %9s %9s\n' program 'user s' 'peak MB' 'object kB'
row() { # NAME TEXT
  [[ -f $temporary/$1 ]] || return 0
  printf '%-44s %8.1f %9.0f %9.0f\n' "$2" "$(median "$1" 1)" "$(($(median "$1" 2) / 1024))" "$(($(median "$1" 3) / 1000))"
}
row minidnn 'MiniDNN, the same network'
row minimal 'examples/minimal.cpp'
row minimal-compiled 'examples/minimal.cpp, altmin::compiled'
row own_layer 'examples/own_layer.cpp'
row load_model 'a program that loads any model'
row load_model-compiled 'the same, altmin::compiled'
