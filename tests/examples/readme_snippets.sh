#!/usr/bin/env bash
# readme_snippets.sh COMPILER [FLAG...]: README's C++ compiles, with a network and data at hand. (Its first piece, the
# program, is for readme_test.sh.)
set -euo pipefail
readme=$(dirname "${BASH_SOURCE[0]}")/../../README.md
awk '
  BEGIN {
    print "#include <fstream>\n#include <iostream>\n#include <altmin/altmin.hpp>\n#include <altmin/data.hpp>"
    print "#include <altmin/deploy.hpp>\n#include <altmin/io.hpp>"
  }
  /^```/ {
    if (inside && pieces > 1) print "}}"
    inside = $0 == "```cpp"
    if (inside && ++pieces > 1) {
      print "void piece" pieces "(altmin::Network<float> net, altmin::TrainTest<float> data,"
      print "            altmin::Dataset<float> valid, altmin::FitOptions options, std::ostream& file) {{"
    }
    next
  }
  inside && pieces > 1 && !/^#include/
  END {exit pieces < 2}
' "$readme" | "$@" -x c++ -
