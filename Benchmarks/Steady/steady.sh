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

if [ ! -e "$images/steady/index.json" ]; then
  python=$(apt-cache depends python3-minimal | sed -n 's/.*Depends: \(python3\.[0-9]*\)-minimal/\1/p')
  mkdir -p "$work/package/DEBIAN" "$work/package/usr/bin" "$images/packages"
  gcc -static -O2 -o "$work/package/usr/bin/steady" "$here/steady.c"
  ln -s "$python" "$work/package/usr/bin/python3"
  # Bytes that no compression and no other file shares, the same each time.
  openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 -in /dev/zero 2>/dev/null |
    head -c "$bytes" > "$work/package/usr/data" || true
  printf 'Package: arca-steady\nVersion: 1\nArchitecture: amd64\nMaintainer: none\nDescription: benchmark\n' \
    > "$work/package/DEBIAN/control"
  dpkg-deb -Znone -b "$work/package" "$images/packages/arca-steady_1_amd64.deb" >/dev/null
  known=()
  for package in "$python" "$python-minimal" "lib$python-minimal" "lib$python-stdlib" libsqlite3-0 \
    redis-server redis-tools libatomic1 libgcc-s1 libjemalloc2 liblua5.1-0 lua-bitop lua-cjson liblzf1 \
    libhiredis0.14 libhiredis1.1.0 libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblz4-1 libzstd1 \
    libc6 libstdc++6 libssl3 zlib1g libexpat1 libbz2-1.0 liblzma5 libffi8 libcrypt1 libuuid1; do
    for name in "$package" "${package}t64"; do
      [ -z "$(apt-cache madison "$name")" ] || { known+=("$name"); break; }
    done
  done
  "$here/../../Examples/debian-image.sh" "$images/steady" \
    '{"Entrypoint":["/usr/bin/steady"]}' arca-steady "${known[@]}" >&2
fi
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
