#!/usr/bin/env bash
# Runs the README's five commands as they stand there, after `make demo`'s script, and demands that the
# secret comes out. ARCA_DATA and the port are this test's own.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
servers=()
cleanup() {
  [ -z "${servers[*]}" ] || kill "${servers[@]}" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "readme: FAILED: $*" >&2
  exit 1
}
mkdir "$work/clone"
cp -r "$root/Examples" "$root/README.md" "$work/clone/"
mkdir "$work/clone/out"
cp -r "$root/out/bin" "$root/out/lib" "$work/clone/out/"
cd "$work/clone"
export ARCA_DATA=$work/data ARCA_STATE=$work/state ARCA_DEMO_PORT=18463
Examples/demo.sh > "$work/demo.log" 2>&1 || fail "demo: $(tail -3 "$work/demo.log")"
sed -n '/in five commands/,/^```$/p' README.md | sed '1,/^```sh$/d; /^```$/d' |
  sed "s/8443/$ARCA_DEMO_PORT/" > commands.sh
[ "$(grep -cE '^(head|arca)' commands.sh)" = 5 ] || fail "expected five commands: $(cat commands.sh)"
# What runs behind it goes on when the shell ends, so that its number has to be told.
sed -i 's/ &$/ 2> broker.log \&\necho $! > broker.pid; sleep 2/' commands.sh
bash -euo pipefail commands.sh > run.log 2> errors.log || fail "$(tail -5 errors.log)"
servers+=("$(cat broker.pid)")
[ "$(tail -n 1 run.log)" = "the owner's secret" ] || fail "found $(tail -n 1 run.log), $(tail -3 errors.log)"
grep -q '^trusted' "$work/demo.log" || fail "the demonstration verified nothing"
echo "readme: the five commands did what it says"
