#!/usr/bin/env bash
# Conversion of an image (layers to one EROFS image and its verity tree) against the same by hand:
# tar, mkfs.erofs and veritysetup. Interleaved; medians in seconds as JSON.
#
#   conversion.sh LAYOUT [ROUNDS]      an OCI layout's folder; ARCA: the program (default: out/bin/arca)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
layout=$1 rounds=${2:-5}
arca=${ARCA:-$here/../../out/bin/arca}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
blob() { echo "$layout/blobs/${1/:/\/}"; }
manifest=$(blob "$(jq -r '.manifests[0].digest' "$layout/index.json")")
mapfile -t layers < <(jq -r '.layers[].digest' "$manifest")

seconds() { # COMMAND...
  local begin end
  begin=$(date +%s.%N)
  "$@" >/dev/null
  end=$(date +%s.%N)
  awk "BEGIN { print $end - $begin }"
}

by_hand() {
  local layer
  rm -rf "$work/root" "$work"/hand.*
  mkdir "$work/root"
  for layer in "${layers[@]}"; do
    sha256sum "$(blob "$layer")"
    tar -C "$work/root" --numeric-owner --xattrs -xf "$(blob "$layer")"
  done
  mkfs.erofs -T0 -U00000000-0000-0000-0000-000000000000 "$work/hand.erofs" "$work/root"
  veritysetup format --salt=00 --uuid=00000000-0000-0000-0000-000000000000 \
    "$work/hand.erofs" "$work/hand.tree"
  sync "$work/hand.erofs" "$work/hand.tree"
}

by_arca() {
  rm -rf "$work/data"
  ARCA_DATA=$work/data "$arca" image import "oci:$layout"
}

for _ in $(seq "$rounds"); do
  seconds by_hand >> "$work/hand"
  seconds by_arca >> "$work/arca"
done
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }
jq -n --argjson hand "$(median "$work/hand")" --argjson arca "$(median "$work/arca")" \
  --argjson rounds "$rounds" --argjson bytes "$(stat -c %s "$work/hand.erofs")" \
  '{rounds: $rounds, imageBytes: $bytes, byHandSeconds: $hand, arcaSeconds: $arca, ratio: ($arca / $hand)}'
