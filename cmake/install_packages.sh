#!/usr/bin/env bash
# install_packages.sh [PACKAGE...]: installs the Debian packages that building altmin needs, and those named, where they
# are missing.
set -euo pipefail
export LC_ALL=C

packages=(g++ cmake make libeigen3-dev zlib1g-dev nlohmann-json3-dev libcli11-dev catch2 libbenchmark-dev time "$@")

if ! command -v dpkg-query >/dev/null; then
  echo "Not a Debian system: trusting that these are installed: ${packages[*]}" >&2
  exit
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || true
  [[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
echo "Installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" >&2
