#!/bin/sh
# Checks the model of the release of secrets: as it is it must hold, and without any one of its
# assumptions it must fail by the property that the assumption is there for. Needs spin and gcc.
set -eu
model=$(CDPATH= cd "$(dirname "$0")" && pwd)/attestation.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# verify [-DMACRO]: prints the assertion that fails, or nothing where all hold in every state.
verify() {
  (cd "$work" && rm -f pan* && spin -a ${1+"$1"} "$model" > spin.log &&
    gcc -O1 -w -DSAFETY -o pan pan.c && ./pan -E -m100000 > pan.log ||
      { cat "$work"/*.log >&2; exit 1; }
    grep -q 'error: max search depth' pan.log && { echo "the search was cut short" >&2; exit 1; }
    sed -n 's/^pan:1: assertion violated \(.*\) (at depth.*/\1/p' pan.log)
}

# expect MACRO PROPERTY [VALUE]: with MACRO at VALUE (0), an assertion with that text fails.
expect() {
  found=$(verify "-D$1=${3-0}")
  case $found in
    *"$2"*) echo "$1: fails as it must" ;;
    *) echo "$1: expected a run that violates $2, found '${found:-none}'" >&2; exit 1 ;;
  esac
}

found=$(verify)
[ -z "$found" ] || { echo "the model is violated: $found" >&2; exit 1; }
echo "secrecy, agreement, injectivity and authenticity hold in every state:" \
  "$(sed -n 's/ *\([0-9]*\) states, stored.*/\1/p' "$work/pan.log") states"
expect SHOW_RELEASE 'guestValue!=1' 1
for assumption in REPORTS_UNFORGEABLE MANIFEST_CHECKED_IN_GUEST KEY_BOUND_IN_REPORT NONCE_FRESH \
  VENDOR_ROOT_REQUIRED PLATFORM_IN_POLICY WORKLOAD_IN_POLICY DEBUG_REFUSED; do
  expect $assumption 'attestedKey['
done
expect KEY_KEPT_IN_TEE 'attackerKnowsSecret'
expect NONCE_USED_ONCE 'accepted[1]'
expect RELEASED_ONCE 'released[1]'
expect BROKER_PINNED 'guestValue!=2'
