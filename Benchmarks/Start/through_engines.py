"""Start of a container through each engine, with arca as its runtime against crun and runsc.

through_engines.py LAYOUT [ROUNDS]      LAYOUT: an OCI layout whose image has /bin/busybox

Prints JSON: for each engine and runtime the median milliseconds from the engine's command to the first
byte that the container prints, without a network, and to the command's end. Interleaved. ARCA names the
program. The engines are those of Debian (podman, containerd, Docker) with roots of their own.
"""

import json
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import engines  # noqa: E402
import race  # noqa: E402

WORDS = ["/bin/busybox", "echo", "up"]


def measure(engine, programs, rounds, log, missing):
    """By runtime: medians of what `rounds` starts through `engine` took."""
    name = type(engine).__name__.lower()
    results = {runtime: [] for runtime in programs}
    # The first one converts the image, and shows whether the runtime works at all.
    for runtime, program in programs.items():
        if race.race([lambda: race.command(engine.command(program, WORDS), log)], seconds=120)["failures"]:
            missing[f"{name} with {runtime}"] = "cannot start a container here"
            del results[runtime]
    for _ in range(rounds):
        for runtime in results:
            command = engine.command(programs[runtime], WORDS)
            results[runtime].append(race.race([lambda: race.command(command, log)]))
    return {runtime: {
        "firstMilliseconds": round(race.median([1000 * first for run in runs for first in run["firstSeconds"]]),
                                   1),
        "endMilliseconds": round(race.median([1000 * run["endedSeconds"] for run in runs]), 1),
        "failures": sum(run["failures"] for run in runs)} for runtime, runs in results.items()}


def main(layout, rounds="5"):
    work, missing, rows = tempfile.mkdtemp(), {}, {}
    log = open(f"{work}/log", "ab")
    try:
        programs = engines.runtimes(work)
        missing.update({name: "not installed" for name in ("crun", "runsc") if name not in programs})
        # The first run finds out which accelerator there is.
        engines.call(programs["arca"], "run", "--rm", f"oci:{layout}", "true")
        image = engines.archive(layout, work)
        for name, program, make in (
                ("podman", "podman", lambda: engines.Podman(work)),
                ("containerd", "ctr", lambda: engines.Containerd(work)),
                ("docker", "dockerd", lambda: engines.Docker(work, programs))):
            if not shutil.which(program):
                missing[name] = "not installed"
                continue
            engine = make()
            try:
                engine.load(image)
                rows[name] = measure(engine, programs, int(rounds), log, missing)
                print(name, rows[name], file=sys.stderr)
            finally:
                engine.stop()
        if "arca" not in rows.get("podman", {}) or missing:
            print(pathlib.Path(f"{work}/log").read_text(errors="replace")[-3000:], file=sys.stderr)
    finally:
        engines.leave(work)
    print(json.dumps({"rounds": int(rounds), "engines": rows, "missing": missing}, indent=2))


if __name__ == "__main__":
    engines.enter()
    main(*sys.argv[1:])
