#!/usr/bin/env bash
# Memory of one container: what the guest uses before its workload does anything, and what the host
# holds beyond the guest's memory in arca, crun, the launcher and QEMU, less QEMU's mapping of guest
# memory: for a first container (proportional set sizes: pages of files counted in) and for each
# further one (anonymous pages: what no other container shares, of it QEMU's translated code, which
# KVM has none of). Prints JSON.
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
first, further, translated = {}, {}, 0
for pid in set(sys.argv[2:]):
    pss = anonymous = 0
    is_guest = is_code = False
    for line in open(f"/proc/{pid}/smaps"):
        if mapping := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line):
            # Guest memory is the one mapping of exactly 512 MiB, translated code what is writable code.
            is_guest = int(mapping[2], 16) - int(mapping[1], 16) == 512 << 20
            is_code = mapping[3] == "rwxp"
        elif line.startswith("Pss:") and not is_guest:
            pss += int(line.split()[1])
        elif line.startswith("Anonymous:") and not is_guest:
            anonymous += int(line.split()[1])
            translated += int(line.split()[1]) if is_code else 0
    name = open(f"/proc/{pid}/comm").read().strip()
    first[name] = first.get(name, 0) + pss
    further[name] = further.get(name, 0) + anonymous
print(json.dumps({"guestUsedKiB": int(sys.argv[1]), "firstKiBByProcess": first,
                  "firstKiB": sum(first.values()), "furtherKiBByProcess": further,
                  "furtherKiB": sum(further.values()), "translatedCodeKiB": translated}))
PYTHON
