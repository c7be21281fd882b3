#!/bin/sh
# check.sh SOURCE COMPILER [FLAG...]: see CMakeLists.txt.
set -u
source=$1
shift
expected=$(sed -n 's|^// expect: ||p' "$source")
[ -n "$expected" ] || { echo "$source has no line \"// expect: REGEX\""; exit 1; }
mistake=$(sed -n 's|^// flags: ||p' "$source")

"$@" -DVALID "$source" || { echo "does not compile with VALID either"; exit 1; }
# shellcheck disable=SC2086 # several flags
if output=$("$@" $mistake "$source" 2>&1); then
  echo "compiles, but must fail with: $expected"
  exit 1
fi
echo "$output" | grep -Eq -- "$expected" && exit 0
printf '%s\nfails, but without: %s\n' "$output" "$expected"
exit 1
