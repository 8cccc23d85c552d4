#!/usr/bin/env bash
# The main job in simulation: an image from a Debian package, its identity predicted from files, a
# run in a TEE, and the evidence of that very run verified against the prediction.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
arca=$root/out/bin/arca
folder=$root/out/demo
data=${ARCA_DATA:-/var/lib/arca}
mkdir -p "$folder"

step() { printf '\n== %s\n' "$*"; }

step "An image from Debian's busybox package"
if [ ! -e "$folder/hello/index.json" ]; then
  "$root/Examples/debian-image.sh" "$folder/hello" \
    '{"Cmd":["/bin/busybox","sh","-c","echo hello from process $$ in a TEE; busybox uname -sr"]}' \
    busybox-static
fi

step "Its identity, from files alone: arca measure"
"$arca" measure --json "oci:$folder/hello" | tee "$folder/identity.json"
workload=$(jq -r .workloadDigest "$folder/identity.json")
platform=$(jq -r .platformMeasurement "$folder/identity.json")

step "A container in a TEE of its own: arca run"
"$arca" run --rm --evidence "$folder/evidence.bin" "oci:$folder/hello"

step "Its evidence, against the prediction: arca attest verify"
"$arca" attest verify "$folder/evidence.bin" --root "$data/simulated-amd/ark.der" \
  --dangerously-accept-simulated-evidence --workload "$workload" --measurement "$platform" |
  grep -E '^(trusted|NOT|simulated|failed|checks)|measurement:|host_data:'

step "The same evidence under AMD's own roots, which is what a key broker asks for"
if "$arca" attest verify "$folder/evidence.bin" > "$folder/refused.txt"; then
  echo "simulated evidence was accepted as real" >&2
  exit 1
fi
grep -E '^(NOT|simulated|failed)' "$folder/refused.txt"
