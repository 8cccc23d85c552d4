#!/bin/sh
# Builds one fuzz target with libFuzzer, which the Swift toolchain brings, and runs it.
#
#   Fuzz/run.sh NAME [RUNS [libFuzzer options...]]       100000 runs unless said
#
# The build is of its own (.build-fuzz), since every Swift module is instrumented. Inputs that
# reach new code are kept in .build-fuzz/corpus/NAME, crashes in .build-fuzz/crash/NAME-*.
set -eu
cd "$(dirname "$0")/.."
name=$1
runs=${2:-100000}
shift
[ $# -eq 0 ] || shift
[ -f "Fuzz/$name/Target.swift" ] || { echo "no Fuzz/$name/Target.swift" >&2; exit 2; }
out=.build-fuzz
# ar adds to an archive that is there, and would keep what a file that is gone was compiled to.
rm -f "$out/release/libFuzz$name.a"
ARCA_FUZZ=1 swift build -c release --scratch-path "$out" --product "Fuzz$name" \
  -Xswiftc -sanitize=fuzzer
mkdir -p "$out/corpus/$name" "$out/crash"
swiftc -sanitize=fuzzer "$out/release/libFuzz$name.a" -lz -lzstd -o "$out/release/fuzz-$name"
# Swift's own crash report would end the process before libFuzzer writes the input that did it.
export SWIFT_BACKTRACE=enable=no
exec "$out/release/fuzz-$name" -runs="$runs" -timeout=10 -rss_limit_mb=2048 \
  -artifact_prefix="$out/crash/$name-" "$@" "$out/corpus/$name" "Fuzz/$name/seeds"
