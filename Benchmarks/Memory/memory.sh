#!/usr/bin/env bash
# Memory of one container: what the guest uses before its workload does anything, and what the host
# holds beyond the guest's memory (proportional set sizes of arca, crun, the launcher and QEMU, less
# QEMU's mapping of guest memory). Prints JSON.
#
#   memory.sh IMAGE      an image whose entry point is busybox; ARCA: the program
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arca=${ARCA:-$here/../../out/bin/arca}
image=$1
work=$(mktemp -d)
id=
trap '[ -z "$id" ] || "$arca" rm -f "$id" >/dev/null; rm -rf "$work"' EXIT

used=$("$arca" run --rm "$image" free -k 2>/dev/null | awk '$1 == "Mem:" { print $3 }')
id=$("$arca" run -d --memory 512m "$image" sleep 300 2>/dev/null)
sleep 5
supervisor=$(pgrep -f "monitor $id" | head -n 1)
groups=$(cat /sys/fs/cgroup/{pids,.}/arca-"$id"/cgroup.procs 2>/dev/null || true)
python3 - "$used" "$supervisor" $(pgrep -P "$supervisor") $groups <<'PYTHON'
import json, re, sys
each = {}
for pid in set(sys.argv[2:]):
    kib, is_guest = 0, False
    for line in open(f"/proc/{pid}/smaps"):
        if mapping := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            # Guest memory is the one mapping of exactly 512 MiB.
            is_guest = int(mapping[2], 16) - int(mapping[1], 16) == 512 << 20
        elif line.startswith("Pss:") and not is_guest:
            kib += int(line.split()[1])
    each[open(f"/proc/{pid}/comm").read().strip()] = kib
print(json.dumps({"guestUsedKiB": int(sys.argv[1]), "hostKiBByProcess": each,
                  "hostKiB": sum(each.values())}))
PYTHON
