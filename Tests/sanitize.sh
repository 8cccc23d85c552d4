#!/usr/bin/env bash
# Builds the unit tests with a sanitizer and runs those that boot no guest.
#
#   sanitize.sh address|thread [REGULAR-EXPRESSION]     only the tests that it matches
#
# Each sanitizer has a build folder of its own, .build-address or .build-thread; the first build
# takes as long as the project's. What a sanitizer reports ends the run with a status other than 0;
# memory that is still held at the end is no report, since Swift's runtime holds some on purpose.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-}
case $kind in
  address | thread) ;;
  *)
    echo "sanitize.sh: found '$kind', expected address or thread" >&2
    exit 2
    ;;
esac
scratch=.build-$kind
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0
export TSAN_OPTIONS=halt_on_error=0:report_signal_unsafe=0:suppressions=$PWD/Tests/thread.supp
# Shadow memory stands at fixed addresses, which a randomised layout may have taken.
plain=()
setarch "$(uname -m)" -R true 2>/dev/null && plain=(setarch "$(uname -m)" -R)

swift build --build-tests --sanitize="$kind" --scratch-path "$scratch"
log=$scratch/test.log
status=0
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
chmod 711 "$TMPDIR" # a test runs programs from its folder as another user
"${plain[@]}" swift test --skip-build --sanitize="$kind" --scratch-path "$scratch" \
  --skip '^GuestTests\.' ${2:+--filter "$2"} > "$log" 2>&1 || status=$?
grep -E '^✘|Test run with|^(WARNING|SUMMARY|ERROR): |^==[0-9]+==ERROR' "$log" || tail -n 40 "$log"
if grep -qE 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer' "$log"; then
  echo "sanitize.sh: the $kind sanitizer found something: $log" >&2
  exit 1
fi
exit $status
