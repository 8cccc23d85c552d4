#!/usr/bin/env bash
# Makes the image that Benchmarks/Steady runs, where it is missing or older than its source.
#
#   image.sh LAYOUT BYTES      BYTES: how large the file is that reads are measured with
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
layout=$1 bytes=$2
if [ -e "$layout/index.json" ]; then
  newest=$(find "$here" -name '*.py' -prune -o -newer "$layout/index.json" -print)
  [ -n "$newest" ] || exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$(apt-cache depends python3-minimal | sed -n 's/.*Depends: \(python3\.[0-9]*\)-minimal/\1/p')
mkdir -p "$work/usr/bin" "$(dirname "$layout")"
gcc -static -O2 -Wall -Wextra -o "$work/usr/bin/steady" "$here/steady.c"
install "$here/by-hand.sh" "$work/usr/bin/by-hand"
ln -s "$python" "$work/usr/bin/python3"
# Bytes that no compression and no other file shares, the same each time.
openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 -in /dev/zero 2>/dev/null |
  head -c "$bytes" > "$work/usr/data" || true
"$here/../image.sh" "$layout" '{"Entrypoint":["/usr/bin/steady"]}' "$work" \
  "$python" "$python-minimal" "lib$python-minimal" "lib$python-stdlib" libsqlite3-0 \
  redis-server redis-tools libatomic1 libgcc-s1 libjemalloc2 liblua5.1-0 lua-bitop lua-cjson liblzf1 \
  libhiredis0.14 libhiredis1.1.0 libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblz4-1 libzstd1 \
  busybox-static dmsetup libdevmapper1.02.1 libselinux1 libudev1 libpcre2-8-0 \
  e2fsprogs libext2fs2 libss2 libcom-err2 libblkid1 \
  libc6 libstdc++6 libssl3 zlib1g libexpat1 libbz2-1.0 liblzma5 libffi8 libcrypt1 libuuid1
