#!/usr/bin/env bash
# compiler_explorer.sh URL: prints a link that opens a program on the single header in Compiler Explorer, compiled and
# run. URL is where altmin_single.hpp (see single_header.sh) is published: Compiler Explorer includes it from there.
set -euo pipefail
export LC_ALL=C
[[ $# -eq 1 && $1 =~ ^https?://[^\"\<\>\\[:space:]]+$ ]] || {
  echo "compiler_explorer.sh: expected the URL of altmin_single.hpp, got ${*:-nothing}" >&2
  exit 1
}

program() {
  cat <<PROGRAM
#include <$1>

#include <cmath>
#include <iostream>

// Two rings, told apart by a network that gets one sample at a time.
int main() {
  altmin::Network<float> net{altmin::Layers<float>{2}.add(altmin::Dense{20}).add(altmin::Relu{}).add(altmin::Dense{2}),
                             altmin::SoftmaxCrossEntropy{}, altmin::AmRecursive{}, altmin::Seed{1}};
  net.set_threads(1);
  altmin::Random random{altmin::Seed{2}};
  int right = 0;
  for (int t = 1; t <= 2000; ++t) {
    const int label = t % 2;
    const double angle = random.uniform(0, 6.283185);
    const double radius = 1 + label + 0.2 * random.normal();
    altmin::Vector<float> x(2);
    x << static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle));
    right += net.classify(x)(0) == label;  // test, then train
    net.learn_one(x, label);
    if (t % 500 == 0) {
      std::cout << "accuracy of the last 500 samples: " << right / 5.0 << " %\\n";
      right = 0;
    }
  }
}
PROGRAM
}

source=$(program "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/$/\\n/' | tr -d '\n')
compiler='"id":"g122","options":"-std=c++17 -O1 -DNDEBUG -pthread","libs":[{"name":"eigen","ver":"340"}]'
state='{"sessions":[{"id":1,"language":"c++","source":"'$source'","compilers":[],'
state+='"executors":[{"compiler":{'$compiler'},"compilerVisible":true,"compilerOutputVisible":true}]}]}'
# Characters of base64 that a URL gives a meaning are escaped.
printf 'https://godbolt.org/clientstate/%s\n' "$(printf %s "$state" | base64 -w0 | sed -e 's/+/%2B/g' -e 's|/|%2F|g' -e 's/=/%3D/g')"
