#!/usr/bin/env bash
# The Debian package of the committed tree: the same bytes each time, clean for lintian where that is installed; and
# README's program compiles with what is in it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for tool in git dh dpkg-buildpackage pkg-config; do
  command -v $tool >/dev/null || { echo "skipped: there is no $tool" && exit 77; }
done
git -C "$root" rev-parse HEAD >/dev/null 2>&1 || { echo "skipped: this is no repository" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one=$("$root/cmake/packaging/deb.sh" "$work/one" 2>"$work/log") || { cat "$work/log" && exit 1; }
two=$("$root/cmake/packaging/deb.sh" "$work/two" 2>/dev/null)
cmp "$one" "$two"
if command -v lintian >/dev/null; then
  lintian --allow-root --fail-on error,warning "$work"/one/*.changes
else
  echo "lintian is not installed: the package is not checked by it"
fi

dpkg-deb -x "$one" "$work/root"
mkdir "$work/tmp"
cd "$root"
AUTOPKGTEST_TMP=$work/tmp PKG_CONFIG_PATH=$work/root/usr/share/pkgconfig cmake/packaging/debian/tests/readme
[[ -x $work/tmp/readme ]]
