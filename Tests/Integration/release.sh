#!/usr/bin/env bash
# Makes a release, installs it where there is no Swift, and checks what a stranger would.
#
#   release.sh FIRMWARE      the folder with OVMF.amdsev.fd and OVMF.inteltdx.ms.fd
#
# The root that it is installed into is this machine's, with the toolchain's libraries hidden and all
# writes kept apart. out/ must be of the last commit.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
swift=$(ldd "$root/out/bin/arca" | sed -n 's|.*=> \(.*\)/libswiftCore.so .*|\1|p')
firmware=$(realpath "$1")
if [ "${2:-}" != --inside ]; then exec unshare -m --propagation private "$0" "$firmware" --inside; fi
# The sources may be another user's.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
work=$(mktemp -d)
cleanup() {
  umount -R -l "$work/root" 2>/dev/null || true
  umount -l "$work/layer" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
fail() {
  echo "release: FAILED: $*" >&2
  exit 1
}

echo "package, twice"
package=$("$root/deploy/package.sh")
cp "$package" "$work/one.deb"
cmp "$work/one.deb" "$("$root/deploy/package.sh")" || fail "the same input gave other bytes"

echo "installed without Swift"
mkdir -p "$work/layer" "$work/root"
mount -t tmpfs tmpfs "$work/layer"
mkdir "$work/layer/upper" "$work/layer/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layer/upper,workdir=$work/layer/work" "$work/root"
for folder in proc sys dev; do mount --rbind "/$folder" "$work/root/$folder"; done
mount -t tmpfs tmpfs "$work/root$swift"
for folder in run tmp; do mount -t tmpfs tmpfs "$work/root/$folder"; done
"$root/Examples/debian-image.sh" "$work/image" '{"Entrypoint":["/bin/busybox"]}' busybox-static
cp -r "$work/image" "$work/one.deb" "$work/root/tmp/"
inside() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root ARCA_DATA=/tmp/data "$@"; }
! inside "$root/out/bin/arca" --version 2>/dev/null || fail "the root still has Swift's libraries"
inside dpkg --install --force-depends /tmp/one.deb >"$work/log" 2>&1 || fail "$(tail -3 "$work/log")"
! grep -q 'depends on' "$work/log" || fail "dependencies that make deps does not install: $(cat "$work/log")"
for file in "$work"/root/usr/lib/arca/swift/*; do
  [ -e "$swift/${file##*/}" ] || fail "the package has a library that is Debian's: ${file##*/}"
done
version=$(sed -n 's/.*static let version = "\(.*\)"/\1/p' "$root/Sources/ArcaRuntime/Installation.swift")
for program in arca arca-runtime; do
  found=$(inside "$program" --version | head -1)
  [ "$found" = "arca version $version" ] || fail "$program --version: found '$found'"
done
inside arca-kbs init --folder /tmp/broker --listen 127.0.0.1:8443 >/dev/null
measured=$(inside arca measure oci:/tmp/image echo hello)
[ "$measured" = "$("$root/out/bin/arca" measure "oci:$work/image" echo hello)" ] ||
  fail "arca measure: found '$measured'"
found=$(inside arca run --rm oci:/tmp/image echo hello 2>"$work/log") || fail "$(tail -3 "$work/log")"
[ "$found" = hello ] || fail "arca run: found '$found'"

echo "manual pages, completions, bill of materials"
cd "$work/root/usr/share/man"
for page in man1/arca*; do zcat "$page" | mandoc -T lint -W error || fail "$page"; done
cd "$root"
[ -e "$work/root/usr/share/man/man1/arca-kbs-serve.1.gz" ] || fail "no page of a subcommand"
# shellcheck disable=SC2016
found=$(inside bash -c 'source /usr/share/bash-completion/completions/arca
  COMP_WORDS=(arca ru) COMP_CWORD=1 COMP_LINE="arca ru" COMP_POINT=7
  $(complete -p arca | sed "s/.*-F \([^ ]*\) .*/\1/") arca ru arca; echo "${COMPREPLY[*]}"')
[ "$found" = run ] || fail "completion of 'arca ru': found '$found'"
listed=0
while read -r sha256 path; do
  [ "$(sha256sum < "$work/root$path" | cut -d' ' -f1)" = "$sha256" ] || fail "SBOM: $path"
  listed=$((listed + 1))
done < <(jq -r '.packages[] | select(.primaryPackagePurpose == "FILE") |
  "\(.checksums[0].checksumValue) \(.name)"' "$work/root/usr/share/doc/arca/arca.spdx.json")
# All but the bill itself; a hard link is a file twice there too.
shipped=$(dpkg-deb --contents "$work/one.deb" | grep -c '^[-h]')
[ "$listed" = "$((shipped - 1))" ] || fail "SBOM: lists $listed files of $shipped"

echo "signature"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/key.pem"
openssl ec -in "$work/key.pem" -pubout -out "$work/public.pem" 2>/dev/null
guest=$work/guest
cp -r "$root/out/lib/arca/guest" "$guest"
"$root/deploy/sign-release.sh" "$work/key.pem" "$guest/release.json" >/dev/null
check() {
  openssl dgst -sha256 -verify "$work/public.pem" -signature "$guest/release.json.sig" \
    "$guest/release.json" >/dev/null 2>&1
}
check || fail "a good signature was refused"
cp "$guest/release.json" "$work/good.json"
echo >> "$guest/release.json"
! check || fail "a changed release.json was accepted"
cp "$work/good.json" "$guest/release.json"
rm "$guest/release.json.sig"

echo "reference values"
policy="version: 1
releaseKey: public.pem
referenceValues: {snp: snp.json, tdx: tdx.json}
rules:
  - {name: all, resources: ['*/*/*'], tees: [snp], workloads: any, platforms: [{release: snp}, {release: tdx}]}"
echo "$policy" > "$work/policy.yaml"
"$root/deploy/reference-values.sh" snp "$firmware/OVMF.amdsev.fd" > "$work/snp.json"
"$root/deploy/reference-values.sh" tdx "$firmware/OVMF.inteltdx.ms.fd" > "$work/tdx.json"
"$root/deploy/sign-release.sh" "$work/key.pem" "$work/snp.json" "$work/tdx.json" >/dev/null
"$root/out/bin/arca-kbs" policy check "$work/policy.yaml" >/dev/null || fail "signed reference values were refused"
sed -i 's/"tdx"/"snp"/' "$work/tdx.json"
! "$root/out/bin/arca-kbs" policy check "$work/policy.yaml" 2>/dev/null || fail "changed reference values were accepted"
# They are what `arca measure` says of a launch, which tests compare with sev-snp-measure.
measured=$(ARCA_SEV_FIRMWARE=$firmware/OVMF.amdsev.fd "$root/out/bin/arca" measure --json --tee snp --cpus 3 \
  --cpu-model EPYC-Milan "oci:$work/image" | jq -r .platformMeasurement)
[ "$(jq -r '.values[] | select(.vcpus == 3 and any(.cpuModels[]; . == "EPYC-Milan")) | .digests.measurement' \
  "$work/snp.json")" = "$measured" ] || fail "reference values: not $measured for 3 vCPUs of EPYC-Milan"

echo "rebuilt, and one changed file found"
printf x >> "$guest/cmdline"
status=0
"$root/deploy/verify-release.sh" "$guest" > "$work/log" 2>&1 || status=$?
[ "$status" = 1 ] || fail "verify-release: status $status, expected 1: $(cat "$work/log")"
[ "$(grep DIFFERS "$work/log")" = "DIFFERS  cmdline" ] || fail "verify-release: $(cat "$work/log")"
[ "$(grep -c '^equal' "$work/log")" = "$(($(find "$guest" -type f | wc -l) - 1))" ] ||
  fail "verify-release: $(cat "$work/log")"
echo "release: all passed"
