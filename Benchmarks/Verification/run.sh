#!/bin/sh
# Time per verification on one thread, and dcap-qvl (PyPI) on the same quotes in the same run.
#
#   run.sh VECTORS [ROUNDS]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
vectors=$1 rounds=${2:-400}
venv=$root/.build-verification-venv
(cd "$root" && swift build -c release --product verification-benchmark)
program=$root/.build/release/verification-benchmark
"$program" "$vectors" "$rounds"
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet dcap-qvl==0.7.0
exec "$venv/bin/python" "$root/Benchmarks/Verification/dcap_qvl_peer.py" "$program" "$vectors" "$rounds"
