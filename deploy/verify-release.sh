#!/usr/bin/env bash
# Rebuilds a release's guest from this source and compares it: verify-release.sh RELEASE
#
#   RELEASE           a package (.deb), or a folder with the guest's files and release.json
#   ARCA_GUEST_BUILD  the program that builds (default: .build/release/arca-guest-build)
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

commit=$(git -C "$root" rev-parse HEAD)
mkdir "$work/source"
git -C "$root" archive "$commit" | tar -x -C "$work/source"
kernel=()
[ "$(jq -r '.kernelOptions // empty | length' "$published/release.json")" = "" ] || kernel=(--kernel-source)
echo "building the guest of commit $commit, some minutes"
"$builder" --package "$work/source" --output "$work/rebuilt" "${kernel[@]}" > "$work/log" 2>&1 || {
  tail -n 20 "$work/log" >&2
  exit 2
}

packages() { jq -r '(.kernelPackages + .sourcePackages)[] | "\(.name) \(.version) \(.sha256)"' "$1/release.json"; }
if ! diff <(packages "$published") <(packages "$work/rebuilt") > "$work/packages"; then
  echo "The release was made of other Debian packages (<) than can be had here (>):"
  grep '^[<>]' "$work/packages"
  echo "verify-release: not comparable; give the release's own kernel packages to arca-guest-build" >&2
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
[ "$status" = 0 ] && echo "verified: the release's guest is what this source gives" ||
  echo "verify-release: the release's guest is not what this source gives" >&2
exit "$status"
