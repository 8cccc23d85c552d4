#!/bin/bash
# storage.sh: encrypted images and volumes with a key broker, through arca (docs/images.md,
# docs/volumes.md). ARCA and ARCA_KBS name other programs than those in out/.
set -euo pipefail
cd "$(dirname "$0")/../.."
arca=${ARCA:-$PWD/out/bin/arca}
kbs=${ARCA_KBS:-$PWD/out/bin/arca-kbs}
work=$(mktemp -d)
export ARCA_DATA=$work/data ARCA_STATE=$work/state
port=${ARCA_TEST_PORT:-28443}
broker=
trap 'kill $broker 2>/dev/null; [ -n "${KEEP:-}" ] || rm -rf "$work"' EXIT
failed=0

check() { # NAME COMMAND…: the command succeeds
  if "${@:2}"; then echo "ok   $1"; else echo "FAIL $1"; failed=1; fi
}
# run NAME [IMAGE MEMORY]: the container by that manifest; standard output in out, error in err, status in status.
run() {
  status=0
  timeout 240 "$arca" run --rm --memory "${3:-512m}" --manifest "$work/$1.yaml" "${2:-oci:$work/image}" \
    > "$work/out" 2> "$work/err" || status=$?
  grep -v simulated "$work/err" | sed "s/^/     $1: /" >&2 || true
}
said() { grep -q -- "$1" "$work/out"; }
refused() { [ "$status" = 125 ] && grep -q -- "$1" "$work/err"; }

Examples/debian-image.sh "$work/image" '{"Entrypoint":["/bin/busybox","sh","-c"]}' busybox-static \
  > /dev/null
"$arca" run --rm "oci:$work/image" true 2> /dev/null # makes the simulated vendor
"$kbs" init --folder "$work/kbs" --listen "127.0.0.1:$port" \
  --simulated-vendor "$ARCA_DATA/simulated-amd" > /dev/null
for key in image other; do head -c 64 /dev/urandom > "$work/$key.key"; done
for key in volume second small; do head -c 32 /dev/urandom > "$work/$key.key"; done
for key in image volume second small; do
  "$kbs" resource set --folder "$work/kbs" "default/key/$key" "$work/$key.key" > /dev/null
done
# Another value under the name that the wrongly encrypted image asks for.
"$kbs" resource set --folder "$work/kbs" default/key/other "$work/image.key" > /dev/null
pin=$(openssl x509 -in "$work/kbs/tls.pem" -noout -pubkey \
  | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)

# manifest NAME SCRIPT [VOLUME KEY]: a manifest that runs SCRIPT.
manifest() {
  "$arca" manifest derive "oci:$work/image" "$2" > "$work/$1.yaml"
  printf 'keyBroker:\n  url: https://127.0.0.1:%s\n  publicKeys: [%s]\n' "$port" "$pin" \
    >> "$work/$1.yaml"
  if [ $# = 4 ]; then
    printf 'volumes:\n  - {name: %s, destination: /data, key: "kbs:///default/key/%s"}\n' \
      "$3" "$4" >> "$work/$1.yaml"
  fi
}
manifest secret 'echo plain-$((6 * 7)); busybox cat /proc/mounts'
manifest first 'busybox mount | busybox grep /data; echo marked-secret-first > /data/one; \
  for i in $(busybox seq 60); do busybox mkdir -p /data/d$i/e; echo $i > /data/d$i/e/f; done; \
  busybox dd if=/dev/zero of=/data/large bs=1M count=160 2>/dev/null; busybox sync; \
  busybox df -m /data | busybox tail -1; echo all-written' demo volume
manifest again 'busybox cat /data/one /data/d*/e/f | busybox wc -l; busybox cat /data/one; \
  busybox md5sum /data/large; echo two > /data/two' demo volume
manifest small 'busybox mount | busybox grep /data; echo x > /data/x' small small
manifest both 'busybox cat /data/one /data/two' demo volume
manifest writer 'i=0; while :; do i=$((i+1)); echo $i > /data/n.new; \
  busybox mv /data/n.new /data/n; busybox sync; echo $i; done' demo volume
manifest reader 'busybox cat /data/n /data/one' demo volume
manifest sleeper 'busybox sleep 30' demo volume
manifest swapped 'busybox cat /data/one' demo second

measurement=$("$arca" measure --json "oci:$work/image" | jq -r .platformMeasurement)
policy() {
  {
    printf 'version: 1\nrules:\n  - name: test\n    resources: [default/key/*]\n    tees: [snp]\n'
    printf '    platforms: [{measurement: %s}]\n    workloads: [%s]\n' "$measurement" "$1"
    printf '    dangerouslyAcceptSimulatedEvidence: true\n'
  } > "$work/policy.yaml"
  "$kbs" policy install --folder "$work/kbs" "$work/policy.yaml" > /dev/null
}
build() { # NAME KEYFILE KEYNAME: an encrypted image; its workload digest
  "$arca" image build --manifest "$work/secret.yaml" --encrypt --key-file "$work/$2.key" \
    --key-uri "kbs:///default/key/$3" "oci:$work/image" "oci:$work/$1" \
    | sed -n 's/^workload digest: //p'
}
digests=$(build encrypted image image),$(build wrong other other)
for name in first again both small writer reader sleeper swapped; do
  digests+=,$("$arca" manifest digest "$work/$name.yaml")
done
policy "$digests"
"$kbs" serve --folder "$work/kbs" > "$work/kbs.log" 2>&1 &
broker=$!
for _ in $(seq 50); do (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break; sleep 0.1; done

echo "# encrypted root file system"
launch() { status=0; timeout 120 "$arca" run --rm "oci:$work/$1" > "$work/out" 2> "$work/err" ||
  status=$?; grep -v simulated "$work/err" | sed 's/^/     /' >&2 || true; }
launch encrypted
check "an encrypted image runs by its own manifest" said plain-42
check "its ciphertext holds nothing of its plaintext" \
  bash -c "! grep -rqa 'BusyBox v' '$work/encrypted'"
launch wrong
check "another key than the image's is named" refused 'not the key'
image=$("$arca" image inspect "$("$arca" image import -q "oci:$work/encrypted")" \
  | jq -r .rootfs.path)
cp --sparse=always "$image" "$work/kept"
for block in $(seq 1 40 400); do
  printf '\xff' | dd of="$image" bs=1 seek=$((block * 4096 + 7)) conv=notrunc status=none
done
launch encrypted
check "changed ciphertext is caught" bash -c "[ $status != 0 ] && ! grep -q plain-42 '$work/out'"
cp "$work/kept" "$image"

echo "# volumes"
"$arca" volume create small --size 64m > /dev/null
run small "oci:$work/image" 96m
check "a new volume is formatted in the smallest guest" said 'type ext4'
"$arca" volume create demo --size 2g > /dev/null
disk=$("$arca" volume inspect demo | jq -r .path)
cp --sparse=always "$disk" "$work/blank"
run first
check "a new volume is formatted and written" said 'type ext4'
cp --sparse=always "$disk" "$work/older"
check "and takes files beyond its first block group" said all-written
run again
check "what was written is there in the next run" said marked-secret-first
check "all of it" bash -c "grep -qx 61 '$work/out' && grep -q '$(head -c 160M /dev/zero | md5sum \
  | cut -c1-32)' '$work/out'"
run both
check "and what that one wrote" said two
check "nothing of it is in the disk" bash -c "! grep -qa marked-secret '$disk'"

"$arca" run --rm -d --name holder --manifest "$work/sleeper.yaml" "oci:$work/image" \
  > /dev/null 2>&1
run both
check "a volume in use is refused to a second container" refused 'a container uses it'
check "and is not removed" bash -c "! '$arca' volume remove demo 2> /dev/null"
"$arca" stop -t 1 holder > /dev/null 2>&1 || "$arca" stop holder > /dev/null 2>&1 || true

"$arca" run --rm --name writer --manifest "$work/writer.yaml" "oci:$work/image" \
  > "$work/written" 2> /dev/null &
writer=$!
for _ in $(seq 300); do [ "$(wc -l < "$work/written")" -ge 5 ] && break; sleep 0.2; done
for fd in /proc/[0-9]*/fd/*; do # QEMU is who has the disk open
  if [ "$fd" -ef "$disk" ]; then
    pid=${fd#/proc/}
    if grep -qsa qemu "/proc/${pid%%/*}/cmdline"; then kill -KILL "${pid%%/*}"; fi
  fi
done
wait $writer 2> /dev/null || true
seen=$(tail -1 "$work/written")
run reader
check "a killed machine loses nothing that was synced" \
  bash -c "[ \$(head -1 '$work/out') -ge ${seen:-999999} ]"
check "nor what was there before" said marked-secret-first

cp --sparse=always "$disk" "$work/newest"
cp "$work/older" "$disk"
run both
check "an older state is refused" refused 'older state'
cp "$work/blank" "$disk"
run both
check "a wiped volume is refused" refused 'has been used before'
cp "$work/newest" "$disk"
truncate -s 64M "$disk"
run both
check "a truncated volume is refused" refused 'size that it was formatted with'
cp "$work/newest" "$disk"
run swapped
check "a volume under another key is refused" refused 'not blank'
run both
check "and after all that the newest still opens" said two
check "it is removed" bash -c "[ \$('$arca' volume remove demo) = demo ]"
exit $failed
