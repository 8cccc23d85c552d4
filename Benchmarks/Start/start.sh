#!/usr/bin/env bash
# Time from `arca run` to the workload's first instruction, against the floor: the same QEMU, kernel
# and CPU model with a static init and no Arca. Interleaved; medians and their ratio as JSON.
#
#   start.sh IMAGE [ROUNDS]      ARCA: the program (default: out/bin/arca)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
image=$1 rounds=${2:-11}
arca=${ARCA:-$here/../../out/bin/arca}
guest=$(cd "$(dirname "$arca")/../lib/arca/guest" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ours() { # prints milliseconds from the exec of arca to the workload's first instruction
  "$arca" run --rm --timing "$image" true 2>&1 >/dev/null |
    sed -n 's/.*first instruction of the workload .* at \([0-9.]*\) ms/\1/p'
}

ours >/dev/null # converts the image and makes what is made once
for _ in $(seq "$rounds"); do
  python3 "$here/../Floor/floor.py" "$guest" >> "$work/floor"
  ours >> "$work/ours"
done
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }
jq -n --argjson floor "$(median "$work/floor")" --argjson arca "$(median "$work/ours")" \
  --argjson rounds "$rounds" \
  '{rounds: $rounds, floorMilliseconds: $floor, arcaMilliseconds: $arca, ratio: ($arca / $floor)}'
