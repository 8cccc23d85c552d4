#!/usr/bin/env bash
# Rebuilds a release's guest from this source and compares it: verify-release.sh RELEASE
#
#   RELEASE           a package (.deb), or a folder with the guest's files and release.json
#   ARCA_GUEST_BUILD  the program that builds (default: .build/release/arca-guest-build)
#   ARCA_KERNEL_DEBS  a folder with the release's kernel packages, where no mirror has them any more
#
# The sources are those of the last commit, unpacked into a clean folder. Every platform measurement is
# computed from these files alone, so that equal files have equal reference values. Exit status: 0 where
# all are equal, 1 where something differs, 2 where the release cannot be rebuilt any more.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
builder=${ARCA_GUEST_BUILD:-$root/.build/release/arca-guest-build}
release=${1:?expected a package or a folder with release.json}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

published=$release
if [ -f "$release" ]; then
  dpkg-deb --extract "$release" "$work/package"
  published=$work/package/usr/lib/arca/guest
fi
[ -f "$published/release.json" ] || {
  echo "verify-release: $release: has no release.json of a guest" >&2
  exit 1
}
packages() {
  jq -r '(.kernelPackages + .sourcePackages)[] | "\(.name) \(.version) \(.sha256)"' "$1/release.json"
}
echo "The release says that it was made of these Debian packages:"
packages "$published" | sed 's/^/  /'

commit=$(git -C "$root" rev-parse HEAD)
mkdir "$work/source"
git -C "$root" archive "$commit" | tar -x -C "$work/source"
options=()
if jq -e .kernelOptions "$published/release.json" > /dev/null; then options=(--kernel-source); fi
if [ -n "${ARCA_KERNEL_DEBS:-}" ]; then
  for file in "$ARCA_KERNEL_DEBS"/*.deb; do options+=(--kernel-deb "$(realpath "$file")"); done
fi
# build [OPTION…]: the guest by the source; whether it is made of the release's packages.
build() {
  echo "building the guest of commit $commit, some minutes"
  "$builder" --package "$work/source" --output "$work/rebuilt" "${options[@]}" "$@" \
    > "$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 2; }
  diff <(packages "$published") <(packages "$work/rebuilt") > "$work/packages"
}
# What was fetched before may be older than the release; then once more with what the mirror has.
if ! build && ! build --cache "$work/cache"; then
  echo "The release was made of other Debian packages (<) than the mirror has now (>):"
  grep '^[<>]' "$work/packages"
  echo "verify-release: not comparable: get the release's packages from Debian's archive of old ones," \
    "and give the kernel's folder as ARCA_KERNEL_DEBS" >&2
  exit 2
fi

status=0
for name in $( (jq -r '.files | keys[]' "$published/release.json"; ls "$published") | sort -u); do
  if cmp -s "$published/$name" "$work/rebuilt/$name"; then
    echo "equal    $(sha256sum < "$work/rebuilt/$name" | cut -d' ' -f1) $name"
  else
    echo "DIFFERS  $name"
    status=1
  fi
done
if [ "$status" = 0 ]; then
  echo "verified: the release's guest is what this source gives"
else
  tools=$work/package/usr/share/doc/arca/buildinfo
  if [ -f "$tools" ] && ! diff "$tools" <("$root/deploy/buildinfo.sh") > "$work/tools"; then
    echo "The release (<) and this machine (>) have other tools or another commit:"
    grep '^[<>]' "$work/tools"
  fi
  echo "verify-release: the release's guest is not what this source gives" >&2
fi
exit "$status"
