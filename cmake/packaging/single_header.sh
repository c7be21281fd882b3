#!/usr/bin/env bash
# single_header.sh [HEADER...] >altmin_single.hpp: the library as one header that needs only Eigen (not Eigen's path in
# it, nor altmin's). HEADERs, of include/altmin, are altmin.hpp and deploy.hpp unless given; data.hpp needs zlib as
# well, io.hpp nlohmann_json. The same tree makes the same bytes.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../../include"

[[ $# -gt 0 ]] || set -- altmin.hpp deploy.hpp
for header; do
  [[ -f altmin/$header ]] || { echo "single_header.sh: expected a header of include/altmin, got $header" >&2 && exit 1; }
done
version=$(awk '/define ALTMIN_VERSION_/ {printf "%s%s", dot, $3; dot = "."}' altmin/version.hpp)

awk -v version="$version" '
  function emit(path, line, status, name) {
    if (path in seen) return
    seen[path]
    while ((status = (getline line < path)) > 0) {
      if (line == "#pragma once") continue
      if (match(line, /^ *#include "altmin\/[^"]*"/)) {
        name = substr(line, index(line, "\"") + 1)
        name = substr(name, 1, index(name, "\"") - 1)
        if (name == "altmin/compiled.hpp") print "#error \"altmin: the single header is not for altmin::compiled\""
        else emit(name)
        continue
      }
      print line
    }
    if (status < 0) {
      print "single_header.sh: expected a header, got " path > "/dev/stderr"
      exit failed = 1
    }
    close(path)
  }
  BEGIN {
    print "// altmin " version " in one header, made by cmake/packaging/single_header.sh. Apache License 2.0."
    print "#pragma once"
    for (i = 1; i < ARGC; ++i) emit("altmin/" ARGV[i])
    exit failed
  }
' "$@"
