#!/usr/bin/env bash
# release.sh VERSION DIRECTORY: makes a release of the committed tree. Sets the version in version.hpp, heads
# CHANGELOG.md's unreleased part with it, commits, tags vVERSION, and writes the source archive into the directory: the
# same tag makes the same bytes. Of a version that is tagged already it writes the archive alone. Pushes nothing.
set -euo pipefail
export LC_ALL=C
fail() { echo "release.sh: $*" >&2 && exit 1; }
[[ $# -eq 2 ]] || fail "expected VERSION and DIRECTORY"
version=$1
[[ $version =~ ^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$ ]] || fail "expected a version such as 1.2.3, got $version"
part=("${BASH_REMATCH[@]:1}")
mkdir -p "$2"
directory=$(cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tag=v$version

if ! git rev-parse -q --verify "refs/tags/$tag" >/dev/null; then
  [[ -z $(git status --porcelain) ]] || fail "expected all changes committed, got some that are not"
  notes=$(awk '/^## / {inside = $0 == "## Unreleased"; next} inside && NF' CHANGELOG.md)
  [[ -n $notes ]] || fail "expected notes under '## Unreleased' in CHANGELOG.md, got none"

  sed -i -E -e "s/(_VERSION_MAJOR) .*/\1 ${part[0]}/" -e "s/(_VERSION_MINOR) .*/\1 ${part[1]}/" \
    -e "s/(_VERSION_PATCH) .*/\1 ${part[2]}/" include/altmin/version.hpp
  sed -i "s/^## Unreleased$/## Unreleased\n\n## $version - $(date -u +%Y-%m-%d)/" CHANGELOG.md
  git commit -q -m "Release $version" -- include/altmin/version.hpp CHANGELOG.md
  git tag -a "$tag" -m "altmin $version"
fi

archive=$directory/altmin-$version.tar.gz
git archive --format=tar --prefix="altmin-$version/" "$tag" | gzip -9 -n >"$archive.part"
mv "$archive.part" "$archive"
sha256sum "$archive"
