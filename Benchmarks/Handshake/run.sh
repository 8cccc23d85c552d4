#!/bin/sh
# Measures handshakes with the release build of arca-kbs; HANDSHAKES sets how many.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
ARCA_KBS="${ARCA_KBS:-$root/.build/release/arca-kbs}"
export ARCA_KBS
"$root/Tests/Integration/kbs/environment"
exec "$root/.build-kbs-venv/bin/python" "$root/Benchmarks/Handshake/handshake.py"
