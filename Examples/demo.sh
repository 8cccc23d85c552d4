#!/usr/bin/env bash
# The main job in simulation: an image from a Debian package, its identity predicted from files, a
# key broker that releases a secret to exactly that workload, a run in a TEE that gets it, the same
# image with another command that does not, and the evidence of the run verified.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
arca=$root/out/bin/arca kbs=$root/out/bin/arca-kbs
folder=$root/out/demo
data=${ARCA_DATA:-/var/lib/arca}
port=${ARCA_DEMO_PORT:-8443}
mkdir -p "$folder"

step() { printf '\n== %s\n' "$*"; }

step "An image from Debian's busybox package"
if [ ! -e "$folder/hello/index.json" ]; then
  "$root/Examples/debian-image.sh" "$folder/hello" \
    '{"Cmd":["/bin/busybox","sh","-c","echo hello from process $$ in a TEE; busybox uname -sr"]}' \
    busybox-static
fi
image=oci:$folder/hello

step "A key broker of the owner's, with a secret: arca-kbs"
# The first run on a machine makes its simulated vendor, whose evidence the broker accepts.
[ -e "$data/simulated-amd/ark.der" ] || "$arca" run --rm "$image" /bin/busybox true 2>/dev/null
rm -rf "$folder/broker"
"$kbs" init --folder "$folder/broker" --listen "127.0.0.1:$port" \
  --simulated-vendor "$data/simulated-amd"
echo "the owner's secret" | "$kbs" resource set --folder "$folder/broker" default/demo/greeting -
pin=$("$kbs" pin --folder "$folder/broker")
broker=(--key-broker "https://127.0.0.1:$port" --key-broker-pin "$pin"
  --secret kbs:///default/demo/greeting:/run/greeting)
command=(/bin/busybox sh -c 'echo "hello from a TEE, with $(busybox cat /run/greeting)"')

step "The workload's identity, from files alone: arca measure"
"$arca" measure --json "${broker[@]}" "$image" "${command[@]}" | tee "$folder/identity.json"
workload=$(jq -r .workloadDigest "$folder/identity.json")
platform=$(jq -r .platformMeasurement "$folder/identity.json")

step "A policy: the secret is for that identity alone"
"$kbs" policy install --folder "$folder/broker" - << POLICY
version: 1
rules:
  - name: demo
    resources: [default/demo/*]
    tees: [snp]
    platforms: [{measurement: $platform}]
    workloads: [$workload]
    dangerouslyAcceptSimulatedEvidence: true
POLICY
"$kbs" serve --folder "$folder/broker" 2> "$folder/broker.log" &
server=$!
trap 'kill $server' EXIT
for _ in $(seq 100); do
  (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  sleep 0.1
done

step "A container in a TEE of its own gets the secret: arca run"
"$arca" run --rm --evidence "$folder/evidence.bin" "${broker[@]}" "$image" "${command[@]}"

step "The same image with another command does not"
if "$arca" run --rm "${broker[@]}" "$image" /bin/busybox cat /run/greeting; then
  echo "a changed workload got the secret" >&2
  exit 1
fi
echo "the broker's side:"
grep -o 'code=[^ ]* why=[^;]*' "$folder/broker.log" | tail -1

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
