#!/usr/bin/env bash
# Prints what evidence of a release's guest must show, as a policy of the key broker reads it.
#
#   reference-values.sh KIND FIRMWARE [GUEST]
#
# KIND is snp or tdx; FIRMWARE the OVMF that hosts start (`arca tools fetch` gets Debian's); GUEST the
# folder with the release's guest. ARCA: the program.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
kind=$1 firmware=$2 guest=${3:-$root/out/lib/arca/guest}
arca=${ARCA:-$root/out/bin/arca}
version=$(sed -n 's/.*"arcaVersion" : "\(.*\)".*/\1/p' "$guest/release.json")
exec "$arca" measure --table --tee "$kind" --release "$version" --firmware "$firmware" \
  --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "$(cat "$guest/cmdline") arca.tee=$kind"
