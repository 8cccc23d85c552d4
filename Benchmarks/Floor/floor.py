"""The floor: the same QEMU, kernel, CPU model and devices as Arca's, a static init and nothing of Arca's.

floor.py GUEST                      prints milliseconds from QEMU's exec to the init's first words
floor.py GUEST IMAGE ARGUMENT…      runs a program of a plain EROFS image and passes its output on
floor.py --disk FILE GUEST IMAGE …  with a second disk and the modules of volumes

GUEST is the folder with Arca's kernel and initrd. The accelerator is the one that `arca` last used on
this machine (it leaves word in ARCA_STATE), so let it run something first; else QEMU's translator, TCG.
"""

import argparse
import atexit
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
GROUPS = "/sys/fs/cgroup/cpu" if os.path.isdir("/sys/fs/cgroup/cpu") else "/sys/fs/cgroup"


def accelerator():
    """What Arca has found out since the machine started: "kvm" or "tcg"."""
    try:
        state = pathlib.Path(os.environ.get("ARCA_STATE", "/run/arca"))
        boot, found = (state / "accelerator").read_text().split()
        if boot == pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip():
            return found
    except (OSError, ValueError):
        pass
    return "tcg"


def member(guest, name):
    """A file of Arca's initrd; empty where there is none, as a kernel that has the module built in."""
    return subprocess.run(f"cpio -i --quiet --to-stdout {name} < {guest}/initrd", shell=True, check=True,
                          capture_output=True).stdout


def modules(guest, parts):
    """The kernel modules that the floor needs, in the order of Arca's own list."""
    wanted = {"virtio_blk", "erofs"} | ({"dm-mod", "dm-bufio"} if "volumes" in parts else set())
    wanted |= {"overlay"} & set(parts)
    for line in member(guest, "modules/list").decode().splitlines():
        name, *words = line.split()
        if name in wanted or any("+" + part in words for part in parts):
            yield name, member(guest, f"modules/{name}.ko")


def initrd(guest, work, command=(), parts=(), address=None):
    """An archive with the static init, the modules it needs, and what it should run."""
    root = work / "root"
    for name in ("dev", "root", "modules"):
        (root / name).mkdir(parents=True)
    subprocess.run(["gcc", "-static", "-O2", "-Wall", "-o", root / "init", here / "init.c"], check=True)
    if command:
        (root / "command").write_text("\n".join(map(str, command)) + "\n")
        for index, (name, content) in enumerate(modules(guest, parts)):
            (root / f"modules/{index:02}-{name}").write_bytes(content)
    if "overlay" in parts:
        (root / "overlay").touch()
    if address:
        (root / "address").write_text(f"{address} 255.255.255.0\n")
    archive = work / "initrd"
    subprocess.run(f"find . | cpio -o -H newc --quiet > {archive}", cwd=root, shell=True, check=True)
    return archive


def disk(number, path, access):
    return ["-blockdev", f"driver=raw,node-name=d{number},{access},file.driver=file,file.filename={path}",
            "-device", f"virtio-blk-pci,drive=d{number}"]


def start(guest, archive, image=None, memory=512, volume=None, tap=None, plugin=None):
    """Starts a guest, as what `initrd` was given needs it: its process, and our end of its port."""
    ours, theirs = socket.socketpair()
    kvm = accelerator() == "kvm"
    devices = disk(0, image, "read-only=on") if image else []
    if volume:
        devices += disk(1, volume, "read-only=off")
    if tap:
        devices += ["-netdev", f"tap,id=net0,ifname={tap},script=no,downscript=no",
                    "-device", "virtio-net-pci,netdev=net0,mac=52:54:00:61:72:63,romfile="]
    if plugin:
        devices += ["-plugin", plugin]
    # A container has a share of the processors of its own; on a busy machine that matters.
    group = pathlib.Path(GROUPS, f"arca-floor-{os.getpid()}-{ours.fileno()}")
    try:
        group.mkdir()
        join = group / "cgroup.procs"
    except OSError:
        join = None  # not root
    process = subprocess.Popen(
        ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
         "-vga", "none", "-machine", "q35,usb=off,vmport=off,smbus=off,sata=off",
         "-accel", "kvm" if kvm else "tcg,tb-size=128", "-cpu", "host" if kvm else "max,-erms,-fsrm",
         "-smp", "1", "-m", f"{memory}M", "-kernel", f"{guest}/vmlinux", "-initrd", archive,
         "-append", pathlib.Path(f"{guest}/cmdline").read_text().strip(), *devices,
         "-device", "virtio-serial-pci,max_ports=2",
         "-chardev", f"socket,id=channel,fd={theirs.fileno()}",
         "-device", "virtserialport,chardev=channel,name=floor"],
        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    if join:
        join.write_text(str(process.pid))
        atexit.register(leave, process, group)
    theirs.close()
    ours.settimeout(600)
    return process, ours


def leave(process, group):
    """Ends a guest that is still there, and removes its control group."""
    process.kill()
    process.wait()
    try:
        group.rmdir()
    except OSError:
        pass  # the last process is on its way out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--disk")
    parser.add_argument("guest")
    parser.add_argument("image", nargs="?")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = initrd(options.guest, pathlib.Path(folder), options.command,
                         ["volumes"] if options.disk else [])
        begin = time.monotonic()
        process, channel = start(options.guest, archive, options.image, volume=options.disk)
        try:
            first = channel.recv(1)
            if options.command:
                while first:
                    sys.stdout.buffer.write(first)
                    first = channel.recv(65536)
            else:
                print((time.monotonic() - begin) * 1000)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
