#!/usr/bin/env bash
# Time from `arca run` to the workload's first instruction, against the floor: the same QEMU, kernel
# and CPU model with a static init and no Arca. Interleaved; medians and their ratio as JSON.
#
#   start.sh IMAGE [ROUNDS]      ARCA: the program (default: out/bin/arca)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
image=$1 rounds=${2:-11}
arca=${ARCA:-$here/../../out/bin/arca}
guest=$(cd "$(dirname "$arca")/../lib/arca/guest" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root/dev"
gcc -static -O2 -o "$work/root/init" "$here/floor.c"
(cd "$work/root" && find . | cpio -o -H newc --quiet) > "$work/initrd"

floor() { # prints milliseconds from QEMU's exec to the init's first words
  python3 - "$guest" "$work/initrd" <<'PYTHON'
import socket, subprocess, sys, time
guest, initrd = sys.argv[1:]
ours, theirs = socket.socketpair()
line = open(f"{guest}/cmdline").read().strip()
begin = time.monotonic()
process = subprocess.Popen(
    ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
     "-vga", "none", "-machine", "q35,usb=off,vmport=off,smbus=off,sata=off", "-accel", "tcg,tb-size=128",
     "-cpu", "max", "-smp", "1", "-m", "512M", "-kernel", f"{guest}/vmlinux", "-initrd", initrd,
     "-append", line, "-device", "virtio-serial-pci,max_ports=2",
     "-chardev", f"socket,id=channel,fd={theirs.fileno()}",
     "-device", "virtserialport,chardev=channel,name=floor"], pass_fds=[theirs.fileno()])
ours.settimeout(300)
ours.recv(1)
print((time.monotonic() - begin) * 1000)
process.kill()
process.wait()
PYTHON
}

ours() { # prints milliseconds from the exec of arca to the workload's first instruction
  "$arca" run --rm --timing "$image" true 2>&1 >/dev/null |
    sed -n 's/.*first instruction of the workload .* at \([0-9.]*\) ms/\1/p'
}

ours >/dev/null # converts the image and makes what is made once
for _ in $(seq "$rounds"); do
  floor >> "$work/floor"
  ours >> "$work/ours"
done
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }
jq -n --argjson floor "$(median "$work/floor")" --argjson arca "$(median "$work/ours")" \
  --argjson rounds "$rounds" \
  '{rounds: $rounds, floorMilliseconds: $floor, arcaMilliseconds: $arca, ratio: ($arca / $floor)}'
