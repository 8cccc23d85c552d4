"""What a start executes, Arca's and the floor's: instructions, and blocks that QEMU translated for them.

count.py [--symbols FILE]      as root; ARCA: the program (default: out/bin/arca)

Where clocks differ by the hour of a machine that others share, these counts differ by some thousandths. Three
guests run to the same instruction (mark.h): the floor until its init's first words, the floor as the program
of an image that nothing verifies, with the overlay for writes of any container, and `arca run` of that image.
Prints JSON. With FILE, a guest's /proc/kallsyms, it prints the kernel's functions instead: how many instructions
and blocks of each are Arca's beyond the floor's with the image, those with the most blocks first.

A plugin of QEMU 4.2 to 8.2 counts (plugin.c), under its translator alone; with KVM there is nothing to count.
"""

import argparse
import bisect
import collections
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent), str(here.parent / "Floor")]

import engines  # noqa: E402
import floor  # noqa: E402

RECORD = struct.Struct("QQQ")


def give_up(why):
    print(f"nothing was counted: {why}", file=sys.stderr)
    print("{}")
    sys.exit()


def compile(source, to, *flags):
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", *flags, "-o", to, here / source], check=True)


def count(fifo, run):
    """The records of a guest that `run` starts and that ends, or is ended, after them."""
    found = []

    def read():
        with open(fifo, "rb") as pipe:
            found.append(pipe.read())
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    end = run()
    reader.join(300)
    end()
    if not found or not found[0]:
        give_up("the guest did not come to the mark within 300 s, or its QEMU has no plugins of version 1")
    return list(RECORD.iter_unpack(found[0]))


def summary(records):
    return {"instructions": records[-1][2], "blocks": len(records)}


def by_symbol(records, symbols):
    """Blocks and instructions by the kernel's symbol; what is below the kernel's half is user code."""
    starts = [address for address, _ in symbols]
    blocks, instructions = collections.Counter(), collections.Counter()
    for (address, _, before), following in zip(records, records[1:] + records[-1:]):
        place = bisect.bisect(starts, address) - 1
        name = symbols[place][1] if address >> 63 and place >= 0 else "user code"
        blocks[name] += 1
        # What ran between two translations is laid to the first; loops of old blocks among it.
        instructions[name] += following[2] - before
    return blocks, instructions


def beyond(ours, floors, kallsyms):
    """What the first executes beyond the second, a line a function."""
    symbols = sorted((int(words[0], 16), words[2]) for words in map(str.split, open(kallsyms))
                     if words[1] in "tTwW" and int(words[0], 16))
    blocks, instructions = by_symbol(ours, symbols)
    for mine, theirs in zip((blocks, instructions), by_symbol(floors, symbols)):
        mine.subtract(theirs)
    return [f"{blocks[name]:8} {instructions[name]:12} {name}" for name in
            sorted(blocks, key=blocks.get, reverse=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--symbols")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        work = pathlib.Path(folder)
        os.environ |= {"ARCA_DATA": f"{work}/data", "ARCA_STATE": f"{work}/state"}
        arca = pathlib.Path(os.environ.get("ARCA", engines.root / "out/bin/arca")).resolve()
        (work / "files/usr/bin").mkdir(parents=True)
        compile("mark.c", work / "files/usr/bin/mark", "-static")
        compile("wrapper.c", work / "wrapper", "-static")
        compile("plugin.c", work / "plugin.so", "-shared", "-fPIC")
        layout = work / "images/mark"
        layout.parent.mkdir()
        engines.call(here.parent / "image.sh", layout, '{"Entrypoint":["/usr/bin/mark"]}', work / "files")
        run = [arca, "run", "--rm", f"oci:{layout}"]
        engines.call(*run)  # makes what is made once
        if floor.accelerator() != "tcg":
            give_up("under KVM there is nothing to count")
        erofs = next((work / "data/images/rootfs").glob("*/rootfs.erofs"))
        [root] = (work / "data/vmm").glob("root-*")
        qemu = root / "usr/bin/qemu-system-x86_64"
        qemu.rename(root / "usr/bin/qemu")
        shutil.copy(work / "wrapper", qemu)
        shutil.copy(work / "plugin.so", root)
        os.mkfifo(root / "count")

        def arca_run():
            process = subprocess.Popen(run, stderr=subprocess.DEVNULL)
            return process.wait

        def floor_run(name, command, image=None):
            (work / name).mkdir()
            guest = arca.parents[1] / "lib/arca/guest"
            archive = floor.initrd(guest, work / name, command, ["overlay"] if command else [])
            process, _ = floor.start(guest, archive, image, plugin=f"{work}/plugin.so,out={work}/count")
            return process.kill

        os.mkfifo(work / "count")
        ours = count(root / "count", arca_run)
        init = count(work / "count", lambda: floor_run("init", []))
        program = count(work / "count", lambda: floor_run("program", ["/usr/bin/mark"], erofs))
    found = {"arca": summary(ours), "floor": summary(init), "floorWithImage": summary(program)}
    print("\n".join(beyond(ours, program, options.symbols)) if options.symbols else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
