"""Time of a start, against the floor: the same QEMU, kernel and CPU model, a static init, nothing of Arca.

start.py LAYOUT [ROUNDS]      LAYOUT: an OCI layout whose image has /bin/busybox; ARCA: the program

Prints JSON, medians in milliseconds of rounds in which all four take turns, and their ratios:
  instruction   `arca run` to the workload's first instruction, against the floor to its init's first words
  word          `arca run` to the workload's first word on standard output, against a floor that runs it from
                the same image, which nothing verifies there, with the overlay for writes of any container
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]),
                str(pathlib.Path(__file__).resolve().parents[1] / "Floor")]

import engines  # noqa: E402
import floor  # noqa: E402

WORDS = ["/bin/busybox", "echo", "up"]


def milliseconds(begin):
    return (time.monotonic() - begin) * 1000


def floor_start(guest, archive, image=None):
    """From QEMU's exec to the first byte on the floor's port."""
    begin = time.monotonic()
    process, channel = floor.start(guest, archive, image)
    try:
        if not channel.recv(1):
            raise SystemExit("the floor ended without a word")
        return milliseconds(begin)
    finally:
        process.kill()
        process.wait()


def arca_start(run):
    """From the exec of arca to the workload's first instruction, as arca says, and to its first byte."""
    begin = time.monotonic()
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.read(1)
    word = milliseconds(begin)
    said = process.communicate()[1]
    found = re.search(r"first instruction of the workload .* at ([0-9.]+) ms", said)
    if process.returncode or not found:
        raise SystemExit(f"arca run: status {process.returncode}: {said[-1000:]}")
    return float(found[1]), word


def main(layout, rounds="11"):
    arca = pathlib.Path(os.environ.get("ARCA", engines.root / "out/bin/arca")).resolve()
    guest = arca.parents[1] / "lib/arca/guest"
    names = "floorInit", "floorWord", "arcaInstruction", "arcaWord"
    found = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        os.environ |= {"ARCA_DATA": f"{work}/data", "ARCA_STATE": f"{work}/state"}
        run = [arca, "run", "--rm", "--timing", f"oci:{layout}", *WORDS]
        arca_start(run)  # converts the image and makes what is made once
        image = next((work / "data/images/rootfs").glob("*/rootfs.erofs"))
        (work / "init").mkdir()
        (work / "word").mkdir()
        plain = floor.initrd(guest, work / "init")
        running = floor.initrd(guest, work / "word", WORDS, ["overlay"])
        for _ in range(int(rounds)):
            times = floor_start(guest, plain), floor_start(guest, running, image), *arca_start(run)
            for name, value in zip(names, times):
                found[name].append(value)
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(json.dumps({
        "rounds": int(rounds), "milliseconds": medians,
        "ratios": {"instruction": medians["arcaInstruction"] / medians["floorInit"],
                   "word": medians["arcaWord"] / medians["floorWord"]}}, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
