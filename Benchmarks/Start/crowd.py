"""Containers that start at once, against floor guests of the same memory, crun and runsc.

crowd.py LAYOUT [COUNT…]      LAYOUT: an OCI layout whose image has /bin/busybox (default: 1 and 10)

Prints JSON: seconds until the last has said its first word (the median of three rounds, of one above ten),
the median of all these words, and failures: what said anything else, nothing within 15 minutes, or ended with
another status than 0. Each guest has 128 MiB.
ARCA names the program. A runtime that is not installed, or cannot start one container, is said to be so.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]),
                str(pathlib.Path(__file__).resolve().parents[1] / "Floor")]

import engines  # noqa: E402
import floor  # noqa: E402
import race  # noqa: E402

MEMORY = 128
WORDS = ["/bin/busybox", "echo", "up"]


def floor_guest(guest, archive):
    process, channel = floor.start(guest, archive, memory=MEMORY)
    return race.Contestant(process, channel, ends=False)


def starters(layout, work, log):
    """By name: how to start container number N."""
    programs = engines.runtimes(work)
    files = engines.unpack(layout, f"{work}/files")
    bundle = engines.bundle(f"{work}/bundle", files, WORDS, MEMORY)
    guest = pathlib.Path(os.environ.get("ARCA", engines.root / "out/bin/arca")).resolve().parents[1] \
        / "lib/arca/guest"
    # The first run converts the image and finds out which accelerator there is.
    engines.call(programs["arca"], "run", "--rm", f"oci:{layout}", "true")
    (pathlib.Path(work) / "floor").mkdir()
    archive = floor.initrd(guest, pathlib.Path(work) / "floor")
    found = {
        "floor": lambda number: floor_guest(guest, archive),
        "arca": lambda number: race.command(
            [programs["arca"], "run", "--rm", "--memory", f"{MEMORY}m", f"oci:{layout}", *WORDS[1:]], log)}
    for name in ("crun", "runsc"):
        if name in programs:
            found[name] = lambda number, name=name: race.command(
                [programs[name], "--root", f"{work}/{name}-state", "run", "--bundle", bundle,
                 f"crowd-{name}-{number}"], log)
    return found


def main(layout, *counts):
    counts = list(map(int, counts)) or [1, 10]
    rows, missing, number = [], {}, 0
    with tempfile.TemporaryDirectory() as work, open(f"{work}/log", "ab") as log:
        contestants = starters(layout, work, log)
        for name in [name for name in ("crun", "runsc") if name not in contestants]:
            missing[name] = "not installed"
        for name in ("crun", "runsc"):
            if name in contestants and race.race([lambda: contestants[name](0)])["failures"]:
                missing[name] = "cannot start a container here"
                del contestants[name]
        for count in counts:
            rounds = 3 if count <= 10 else 1
            runs = {name: [] for name in contestants}
            for _ in range(rounds):
                for name, start in contestants.items():
                    word = b"started\n" if name == "floor" else race.WORD
                    runs[name].append(race.race(
                        [functools.partial(start, number + each) for each in range(1, count + 1)], word))
                    number += count
            for name, results in runs.items():
                rows.append({"what": name, "count": count, "rounds": rounds,
                             "failures": sum(result["failures"] for result in results),
                             "allSeconds": race.median([result["allSeconds"] for result in results]),
                             "medianSeconds": race.median(
                                 [first for result in results for first in result["firstSeconds"]])})
                print(rows[-1], file=sys.stderr)
        if any(row["failures"] for row in rows):
            print(pathlib.Path(f"{work}/log").read_text(errors="replace")[-2000:], file=sys.stderr)
        subprocess.run(["rm", "-rf", f"{work}/files"], check=True)
    print(json.dumps({"memoryMiB": MEMORY, "crowds": rows, "missing": missing}, indent=2))


if __name__ == "__main__":
    engines.enter()
    main(*sys.argv[1:])
