"""The floor: the same QEMU, kernel, CPU model and devices as Arca's, a static init and nothing of Arca's.

floor.py GUEST                      prints milliseconds from QEMU's exec to the init's first words
floor.py GUEST IMAGE ARGUMENT…      runs a program of a plain EROFS image and passes its output on
"""

import pathlib
import socket
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent


def initrd(guest, work, command):
    """An archive with the static init, the two modules it needs, and what it should run."""
    root = work / "root"
    for name in ("dev", "root"):
        (root / name).mkdir(parents=True)
    subprocess.run(["gcc", "-static", "-O2", "-o", root / "init", here / "init.c"], check=True)
    if command:
        (root / "command").write_text("\n".join(command) + "\n")
        for name in ("virtio_blk.ko", "erofs.ko"):
            subprocess.run(f"cpio -i --quiet --to-stdout modules/{name} < {guest}/initrd > {root}/{name}",
                           shell=True, check=True)
            if not (root / name).stat().st_size:  # a kernel that has it built in
                (root / name).unlink()
    archive = work / "initrd"
    subprocess.run(f"find . | cpio -o -H newc --quiet > {archive}", cwd=root, shell=True, check=True)
    return archive


def main(guest, image=None, *command):
    with tempfile.TemporaryDirectory() as folder:
        archive = initrd(guest, pathlib.Path(folder), command)
        ours, theirs = socket.socketpair()
        disk = ["-blockdev", f"driver=raw,node-name=r,read-only=on,file.driver=file,file.filename={image}",
                "-device", "virtio-blk-pci,drive=r"] if image else []
        begin = time.monotonic()
        process = subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
             "-vga", "none", "-machine", "q35,usb=off,vmport=off,smbus=off,sata=off",
             "-accel", "tcg,tb-size=128", "-cpu", "max", "-smp", "1", "-m", "512M",
             "-kernel", f"{guest}/vmlinux", "-initrd", archive,
             "-append", pathlib.Path(f"{guest}/cmdline").read_text().strip(), *disk,
             "-device", "virtio-serial-pci,max_ports=2",
             "-chardev", f"socket,id=channel,fd={theirs.fileno()}",
             "-device", "virtserialport,chardev=channel,name=floor"], pass_fds=[theirs.fileno()])
        theirs.close()
        ours.settimeout(600)
        try:
            first = ours.recv(1)
            if command:
                while first:
                    sys.stdout.buffer.write(first)
                    first = ours.recv(65536)
            else:
                print((time.monotonic() - begin) * 1000)
        finally:
            process.kill()
            process.wait()


main(*sys.argv[1:])
