#!/usr/bin/env bash
# What runs in a TEE against the same in the floor: the same QEMU, kernel, CPU model and EROFS image,
# with a static init, no verity and nothing of Arca. Interleaved; medians, spread and ratios as JSON.
# A ratio is the floor's time over Arca's: 1 is as fast, less is slower. Reads in the floor are those of
# the raw virtio-blk disk.
#
#   steady.sh [ROUNDS]      ARCA: the program (default: out/bin/arca)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rounds=${1:-5}
arca=${ARCA:-$here/../../out/bin/arca}
guest=$(cd "$(dirname "$arca")/../lib/arca/guest" && pwd)
images=${ARCA_BENCH_IMAGES:-$here/../../out/bench}
bytes=$((64 << 20))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/image.sh" "$images/steady" "$bytes"
image=oci:$images/steady
export ARCA_DATA=$work/data
"$arca" measure "$image" >/dev/null
erofs=$(echo "$ARCA_DATA"/images/rootfs/*/rootfs.erofs)
for _ in $(seq "$rounds"); do
  python3 "$here/../Floor/floor.py" "$guest" "$erofs" /usr/bin/steady /dev/vda "$bytes" >> "$work/floor"
  "$arca" run --rm --memory 512m "$image" /usr/data "$bytes" 2>/dev/null >> "$work/arca"
done
python3 - "$work" "$rounds" <<'PYTHON'
import json, statistics, sys
def read(name):
    values = {}
    for line in open(f"{sys.argv[1]}/{name}"):
        word, seconds = line.split()
        values.setdefault(word, []).append(float(seconds))
    return values
floor, arca = read("floor"), read("arca")
rows = {name: {"floorSeconds": round(statistics.median(floor[name]), 4),
               "arcaSeconds": round(statistics.median(arca[name]), 4),
               "floorSpread": [round(min(floor[name]), 4), round(max(floor[name]), 4)],
               "arcaSpread": [round(min(arca[name]), 4), round(max(arca[name]), 4)],
               "ratio": round(statistics.median(floor[name]) / statistics.median(arca[name]), 3)}
        for name in floor}
assert floor.keys() == arca.keys() and all(len(v) == int(sys.argv[2]) for v in arca.values())
print(json.dumps({"rounds": int(sys.argv[2]), "steady": rows}, indent=2))
PYTHON
