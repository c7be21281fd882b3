#!/usr/bin/env bash
# readme_snippets.sh COMPILER [FLAG...]: the C++ of README and of the pages in docs/ compiles, each piece with a network
# and data at hand. (Whole programs are for readme_test.sh.)
set -euo pipefail
root=$(dirname "${BASH_SOURCE[0]}")/../..
awk '
  BEGIN {
    print "#include <fstream>\n#include <iostream>\n#include <altmin/altmin.hpp>\n#include <altmin/data.hpp>"
    print "#include <altmin/deploy.hpp>\n#include <altmin/io.hpp>"
  }
  /^```/ {
    if (inside && piece !~ /int main\(/) {
      print "void piece" ++pieces "(altmin::Network<float> net, altmin::TrainTest<float> data,"
      print "            altmin::Dataset<float> valid, altmin::FitOptions options, std::ostream& file) {{"
      print "#line " line " \"" FILENAME "\"\n" piece "}}"
    }
    inside = $0 == "```cpp"
    line = FNR + 1
    piece = ""
    next
  }
  inside {piece = piece ($0 ~ /^#include/ ? "" : $0) "\n"}
  END {exit pieces < 10}
' "$root/README.md" "$root"/docs/*.md | "$@" -x c++ -
