#!/usr/bin/env bash
# compiler_explorer.sh COMPILER [FLAG...]: the link holds a program that includes the header's URL; with the header in
# its place, the program compiles, runs and learns.
set -euo pipefail
packaging=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../cmake/packaging" && pwd)
command -v python3 >/dev/null || { echo "skipped: there is no python3" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

url=https://example.org/v1/altmin_single.hpp
"$packaging/compiler_explorer.sh" "$url" >link
python3 - >program.cpp <<'PYTHON'
import base64, json, urllib.parse
link = open("link").read().strip()
prefix = "https://godbolt.org/clientstate/"
assert link.startswith(prefix) and "/" not in link[len(prefix):]
session, = json.loads(base64.b64decode(urllib.parse.unquote(link[len(prefix):])))["sessions"]
executor, = session["executors"]
assert session["language"] == "c++" and executor["compiler"]["libs"][0]["name"] == "eigen"
print(session["source"], end="")
PYTHON
grep -qx "#include <$url>" program.cpp
if "$packaging/compiler_explorer.sh" not-a-url 2>error; then exit 1; fi
grep -qx 'compiler_explorer.sh: expected the URL of altmin_single.hpp, got not-a-url' error

"$packaging/single_header.sh" >altmin_single.hpp
sed -i "s|<$url>|\"altmin_single.hpp\"|" program.cpp
"$@" program.cpp -o program
./program | tee /dev/stderr | awk '{last = $(NF - 1)} END {exit !(NR == 4 && last > 95)}'
