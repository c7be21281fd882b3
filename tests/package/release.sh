#!/usr/bin/env bash
# A release, made in a clone: its version, notes, tag, and an archive of the same bytes each time.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
git -C "$root" rev-parse HEAD >/dev/null 2>&1 || { echo "skipped: there is no git, or no repository" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
git clone -q "$root" clone
release() { clone/cmake/packaging/release.sh "$@"; }
fails() { # MESSAGE ARGUMENT...
  if release "${@:2}" >out 2>&1; then return 1; fi
  diff <(echo "release.sh: $1") out
  [[ -z $(git -C clone tag) && $(git -C clone rev-parse HEAD) == $(git -C "$root" rev-parse HEAD) ]]
}

printf '\n## Unreleased\n\n- A note.\n' >>clone/CHANGELOG.md
fails "expected all changes committed, got some that are not" 7.8.9 one
git -C clone checkout -q CHANGELOG.md
fails "expected a version such as 1.2.3, got 1.2" 1.2 one
fails "expected VERSION and DIRECTORY" 1.2.3

release 7.8.9 one
[[ $(git -C clone show v7.8.9:CHANGELOG.md | grep -c '^## 7.8.9 - 20') -eq 1 ]]
[[ -z $(git -C clone status --porcelain) ]]
git -C clone commit -q --allow-empty -m later
sleep 1 # another time of day: it must not stand in the archive
release 7.8.9 two
cmp one/altmin-7.8.9.tar.gz two/altmin-7.8.9.tar.gz
tar -xzf one/altmin-7.8.9.tar.gz
diff <(grep -o '_VERSION_[A-Z]* .*' altmin-7.8.9/include/altmin/version.hpp) \
  <(printf '_VERSION_%s\n' 'MAJOR 7' 'MINOR 8' 'PATCH 9')
