#!/usr/bin/env bash
# Takes the guest's defences away one by one, and demands that the test of each then fails.
#
#   mutate.sh [NAME...]      the attacks of docs/threat-model.md whose defence is taken away
#
# Each mutant is a guest built from a copy of the sources with one line changed; the tests are those
# that are built already (`make unit-test`). A line that is no longer there is a failure too.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
# One folder for all, so that each mutant is built from what the last one left.
tree=$work/tree
mkdir -p "$tree"
cp -a "$root/Package.swift" "$root/Sources" "$root/guest" "$tree/"

# Five lines each: attack, file, line as it is, line as it becomes, test.
mutants() {
  cat <<'END'
manifest-swapped
Sources/Guest/ArcaInit/Evidence.swift
  guard same(found, expected) else {
  guard same(found, expected) || !found.isEmpty else {
HostileHostTests.anotherManifestThanTheTEEReportsIsRefused
quote-of-another
Sources/Guest/ArcaInit/Evidence.swift
  guard same(found, expected) else {
  guard same(found, expected) || found.count != 32 else {
KindTests.anotherMRCONFIGIDIsRefused
kind-forged
Sources/Guest/ArcaInit/Evidence.swift
    return try checkDigest(of: manifest, against: workload, in: "arca.workload=")
    return workload.isEmpty ? try checkDigest(of: manifest, against: workload, in: "") : ()
KindTests.theMeasuredCommandLineBindsTheWorkload
evidence-foreign
Sources/Guest/ArcaInit/Evidence.swift
  guard same(identity.reportData, nonce) else {
  guard same(identity.reportData, nonce) || !nonce.isEmpty else {
HostileHostTests.badEvidenceIsRefused
frames-malformed
Sources/ArcaWire/Frame.swift
    guard buffer[start] == Wire.version else {
    guard buffer[start] == Wire.version || channelByte < 5 else {
HostileHostTests.brokenFramesEndTheGuest
credit-forged
Sources/ArcaWire/Session.swift
      guard bytes.count <= Int(inputGrantedBytes) else { throw message.frame.fault(.credit) }
      inputGrantedBytes = max(inputGrantedBytes, UInt32(bytes.count))
HostileHostTests.moreInputThanGrantedEndsTheGuest
arguments-injected
Sources/ArcaManifest/HostInput.swift
      guard hostMay.replaceArgs else { throw ManifestError(.notAllowed, "hostMay.replaceArgs") }

HostileHostTests.whatNoRuleAllowsIsRefused
input-injected
Sources/Guest/ArcaInit/Execution.swift
      guard sendInput else { throw InitError(.hostInput, "hostMay.sendInput") }

HostileHostTests.inputThatTheManifestForbidsEndsTheGuest
relay-unasked
Sources/ArcaWire/RelayOrder.swift
    guard phase == .opening else { return false }

RelayTests.aSecondConnectionEndsTheGuest
END
}

while read -r name && read -r file && IFS= read -r before && IFS= read -r after && read -r test; do
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  cp "$root/$file" "$work/original"
  if ! python3 - "$tree/$file" "$before" "$after" <<'PYTHON'; then
import sys
path, before, after = sys.argv[1:]
lines = open(path).read().split("\n")
if before not in lines:
    sys.exit(f"{path}: no line '{before}'")
lines[lines.index(before)] = after
open(path, "w").write("\n".join(lines))
PYTHON
    echo "STALE   $name" && failures=$((failures + 1)) && continue
  fi
  if ! "$root/.build/release/arca-guest-build" --package "$tree" --output "$work/lib/guest" \
    > "$work/build.log" 2>&1; then
    echo "BROKEN  $name: $(grep -m1 error: "$work/build.log")" && failures=$((failures + 1))
  elif ARCA_LIB=$work/lib swift test -c release --package-path "$root" --skip-build \
    --filter "${test/./\/}" > "$work/test.log" 2>&1; then
    echo "ALIVE   $name: $test passes without the defence" && failures=$((failures + 1))
  elif grep -q '✘ Test' "$work/test.log"; then
    echo "killed  $name: $test"
  else
    echo "UNKNOWN $name: $(tail -n 1 "$work/test.log")" && failures=$((failures + 1))
  fi
  cp "$work/original" "$tree/$file"
done < <(mutants)
[ "$failures" = 0 ] && echo "mutants: each was killed"
[ "$failures" = 0 ]
