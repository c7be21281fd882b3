#!/usr/bin/env bash
# deb.sh DIRECTORY: builds libaltmin-dev_VERSION_all.deb of the committed tree, and its source package, in a directory.
# Needs git and debhelper.
set -euo pipefail
export LC_ALL=C TZ=UTC
[[ $# -eq 1 ]] || { echo "usage: deb.sh DIRECTORY" >&2 && exit 1; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$1"
cd "$1"

version=$(git -C "$root" show HEAD:include/altmin/version.hpp |
  awk '/define ALTMIN_VERSION_/ {printf "%s%s", dot, $3; dot = "."}')
source=altmin-$version
rm -rf "$source"
git -C "$root" archive --prefix="$source/" HEAD | tar -x
mv "$source/cmake/packaging/debian" "$source/debian"
# The time of the commit stands in the package, so that the same commit makes the same bytes.
cat >"$source/debian/changelog" <<CHANGELOG
altmin ($version) unstable; urgency=medium

  * See CHANGELOG.md.

 -- The altmin contributors <altmin@example.org>  $(git -C "$root" log -1 --format=%cD HEAD)
CHANGELOG
(cd "$source" && dpkg-buildpackage --no-sign >&2)
rm -rf "$source"
echo "$PWD/libaltmin-dev_${version}_all.deb"
