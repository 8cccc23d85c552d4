#!/usr/bin/env bash
# Makes an OCI image layout of a benchmark: its own files as one package, and Debian's packages, each by
# the name that it has in this Debian (libssl3 or libssl3t64); those that it does not have are left out.
#
#   image.sh LAYOUT CONFIG-JSON FILES PACKAGE...      FILES: a folder with the files, from / on
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
layout=$1 config=$2 files=$3
shift 3
own=arca-$(basename "$layout")
packages=$(dirname "$layout")/packages
mkdir -p "$files/DEBIAN" "$packages"
printf 'Package: %s\nVersion: 1\nArchitecture: amd64\nMaintainer: none\nDescription: benchmark\n' \
  "$own" > "$files/DEBIAN/control"
dpkg-deb -Znone -b "$files" "$packages/${own}_1_amd64.deb" >/dev/null
known=()
for package in "$@"; do
  for name in "$package" "${package}t64"; do
    [ -z "$(apt-cache madison "$name")" ] || { known+=("$name"); break; }
  done
done
"$here/../Examples/debian-image.sh" "$layout" "$config" "$own" "${known[@]}" >&2
