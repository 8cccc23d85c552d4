"""Renders the results of `make bench`: render.py RESULTS DOCS

RESULTS is a folder with start, instructions, crowd, engines, steady, network, memory, conversion and handshake
.json and verification.txt, as the programs print them; a missing one is said to be missing. DOCS gets
benchmarks.md and benchmarks.svg.
"""

import json
import pathlib
import platform
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "Floor"))

import floor  # noqa: E402

results, docs = map(pathlib.Path, sys.argv[1:])


def result(name):
    path = results / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() and path.stat().st_size else None


def version(*command):
    if not shutil.which(command[0]):
        return f"{command[0]}: not installed"
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    cores = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
    return [f"{cores} cores of {model}", version("qemu-system-x86_64", "--version"),
            version("crun", "--version"), version("runsc", "--version"), version("podman", "--version"),
            version("containerd", "--version"), version("dockerd", "--version"),
            f"host kernel {platform.release()}",
            "Arca and the floor under " + ("KVM" if floor.accelerator() == "kvm"
                                           else "QEMU's translator (TCG)")]


def plot(rows):
    """Horizontal bars of ratios, with a line at 1: the floor."""
    width, left, scale, height = 640, 160, 300, 24 * len(rows) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>']
    for index, (name, ratio, aim) in enumerate(rows):
        y = 24 * index + 8
        colour = "#4a8" if aim is None or ratio >= aim else "#c64"
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{name}</text>'
                     f'<rect x="{left}" y="{y}" width="{min(ratio, 1.5) * scale:.0f}" height="16" '
                     f'fill="{colour}"/><text x="{left + min(ratio, 1.5) * scale + 6:.0f}" '
                     f'y="{y + 12}">{ratio:.2f}</text>')
        if aim is not None:
            x = left + aim * scale
            parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{y - 2}" y2="{y + 18}" '
                         'stroke="#222" stroke-dasharray="3 2"/>')
    parts.append(f'<line x1="{left + scale}" x2="{left + scale}" y1="0" y2="{height - 22}" '
                 f'stroke="#222"/><text x="{left + scale}" y="{height - 6}" text-anchor="middle">'
                 'the floor</text></svg>')
    return "\n".join(parts) + "\n"


AIMS = {"cpu": 0.98, "redis": 0.95, "read-sequential": 0.90, "read-random": 0.85}


def at_once(crowd):
    """Rows of containers that were started at once."""
    lines = ["### At once", "",
             f"Seconds until the last has said its first word, guests with {crowd['memoryMiB']} MiB, and "
             "how many failed.", "", "| at once | what | s | median of all | failed | times the floor's |",
             "|---|---|---|---|---|---|"]
    floors = {row["count"]: row["allSeconds"] for row in crowd["crowds"] if row["what"] == "floor"}
    for row in crowd["crowds"]:
        middle = "" if row["medianSeconds"] is None else f"{row['medianSeconds']:.2f}"
        lines.append(f"| {row['count']} | {row['what']} | {row['allSeconds']:.2f} | {middle} | "
                     f"{row['failures']} | {row['allSeconds'] / floors[row['count']]:.2f} |")
    return lines + absent(crowd)


def through_engines(engines):
    """Rows of starts through each engine."""
    lines = ["### Through engines", "",
             f"Milliseconds from the engine's command to the container's first byte, medians of "
             f"{engines['rounds']}, and to the command's end; no network.", "",
             "| engine | runtime | first byte | end | failed |", "|---|---|---|---|---|"]
    lines += [f"| {engine} | {runtime} | {row['firstMilliseconds']:.0f} | {row['endMilliseconds']:.0f} | "
              f"{row['failures']} |" for engine, rows in engines["engines"].items()
              for runtime, row in rows.items()]
    return lines + absent(engines)


def absent(found):
    return [""] + [f"{name}: {why}." for name, why in found["missing"].items()] \
        + ([""] if found["missing"] else [])


def network(found):
    """Rows of network modes; where less is better the ratio is the other way round."""
    columns = {"in": "in, Mb/s", "out": "out, Mb/s", "echo": "round trip, µs", "requests": "nginx, requests/s",
               "requestProcessor": "QEMU's processor time for one, µs"}
    lines = ["## Network", "",
             f"From the host to the workload, one connection; nginx by wrk over eight. Medians of "
             f"{found['rounds']}, and the", "ratio to the floor, where 1 is as fast and less is slower; "
             "aim for nginx 0.95. `overlay` is the floor with the", "overlay for writes that every "
             "container has; the modes are those of `Benchmarks/Network/network.py`.", "",
             "| mode | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 1) + "|"]
    for mode, row in found["modes"].items():
        cells = []
        for name in columns:
            if name not in row:
                cells.append("")
                continue
            ratio = row[name]["ratio"]
            if name in ("echo", "requestProcessor"):
                ratio = 1 / ratio
            cells.append(f"{row[name]['median']:.0f} ({ratio:.2f})")
        lines.append(f"| {mode} | " + " | ".join(cells) + " |")
    return lines + [""]


def in_the_guest(steady):
    """Rows of what a workload does."""
    lines = ["## In the guest", "",
             f"Medians of {steady['rounds']}, in seconds, with the least and the most, and QEMU's processor "
             "time for the same. A ratio", "is the floor's over Arca's: 1 is as fast, less is slower. On a "
             "machine that others use the ratio of processor", "times is the one to look at, and the plot "
             "shows it. Reads of the floor are those of the raw disk, its volumes", "are made by dmsetup.", "",
             "![ratios](benchmarks.svg)", "",
             "| what | floor | Arca | ratio | floor, processor | Arca, processor | ratio | aim |",
             "|---|---|---|---|---|---|---|---|"]
    for name, row in steady["steady"].items():
        cell = {side: f"{row[side + 'Seconds']:.3f} ({row[side + 'Spread'][0]:.3f}–"
                      f"{row[side + 'Spread'][1]:.3f})" for side in ("floor", "arca")}
        lines.append(f"| {name} | {cell['floor']} | {cell['arca']} | {row['ratio']:.2f} | "
                     f"{row['floorProcessorSeconds']:.3f} | {row['arcaProcessorSeconds']:.3f} | "
                     f"{row['processorRatio']:.2f} | {AIMS.get(name, '')} |")
    (docs / "benchmarks.svg").write_text(plot(
        [(name, row["processorRatio"], AIMS.get(name)) for name, row in steady["steady"].items()]))
    return lines + [""]


def main():
    lines = ["# Benchmarks", "",
             "Made by `make bench`; the figures are its last run's. The floor is the same QEMU, kernel, "
             "CPU model, accelerator", "and image with a static init and nothing of Arca "
             "(`Benchmarks/Floor`).", "", *(f"- {fact}" for fact in machine()), ""]
    if start := result("start"):
        times, ratios = start["milliseconds"], start["ratios"]
        lines += ["## Start", "",
                  f"Milliseconds, medians of {start['rounds']}. The second floor runs the workload from the same "
                  "image, which nothing verifies there,", "with an overlay for its writes.", "",
                  "| to | floor | `arca run` | ratio | aim |", "|---|---|---|---|---|",
                  "| the floor's init's first words; the workload's first instruction | "
                  f"{times['floorInit']:.0f} | {times['arcaInstruction']:.0f} | {ratios['instruction']:.2f} | 1.10 |",
                  f"| the workload's first word | {times['floorWord']:.0f} | {times['arcaWord']:.0f} | "
                  f"{ratios['word']:.2f} | |", ""]
    if counts := result("instructions"):
        floors = counts["floor"], counts["floorWithImage"]
        lines += ["What is executed until then, and translated for it:", "",
                  "| | floor | with the image | `arca run` | ratios |", "|---|---|---|---|---|"]
        for what, unit, name in (("instructions", 1e6, "million instructions"), ("blocks", 1e3, "thousand blocks")):
            ours = counts["arca"][what]
            lines.append(f"| {name} | " + " | ".join(f"{each[what] / unit:.0f}" for each in floors) +
                         f" | {ours / unit:.0f} | " + ", ".join(f"{ours / each[what]:.2f}" for each in floors) + " |")
        lines.append("")
    if crowd := result("crowd"):
        lines += at_once(crowd)
    if engines := result("engines"):
        lines += through_engines(engines)
    if steady := result("steady"):
        lines += in_the_guest(steady)
    if found := result("network"):
        lines += network(found)
    if memory := result("memory"):
        further = memory["furtherKiB"] / 1024
        code = memory["translatedCodeKiB"] / 1024
        lines += ["## Memory", "", "| | MiB |", "|---|---|",
                  f"| the guest's, before its workload does anything | "
                  f"{memory['guestUsedKiB'] / 1024:.1f} |",
                  f"| the host's beyond it, a first container | {memory['firstKiB'] / 1024:.1f} |",
                  f"| the host's beyond it, each further one | {further:.1f} |",
                  f"| of it QEMU's translated code, which KVM has none of | {code:.1f} |", ""]
    if conversion := result("conversion"):
        lines += ["## Conversion", "",
                  f"An image of {conversion['imageBytes'] >> 20} MiB: {conversion['arcaSeconds']:.2f} s; by "
                  f"tar, mkfs.erofs and veritysetup {conversion['byHandSeconds']:.2f} s; ratio "
                  f"{conversion['ratio']:.2f} (aim ≤ 1.05).", ""]
    if broker := result("handshake"):
        limit = broker["limitPerProcessorSecond"]
        remembered = broker["limitChainRemembered"]
        lines += ["## Key broker", "",
                  f"Handshakes a processor's second. openssl's speed allows {limit:.0f} with all of their "
                  f"cryptography, {remembered:.0f} without the",
                  "signatures of a chip's certificates, which the broker remembers.",
                  "", "| | a second | ratio | aim | ratio without them |", "|---|---|---|---|---|"]
        for key, what in (("atCapacity", "at capacity"), ("asGuestsCome", "as guests come")):
            load = broker[key]
            lines.append(f"| {what} | {load['handshakesPerProcessorSecond']:.0f} | {load['ratio']:.2f} | 0.5 | "
                         f"{load['ratioChainRemembered']:.2f} |")
        lines.append("")
    verification = results / "verification.txt"
    table = [line for line in verification.read_text().splitlines() if line.startswith("|")] \
        if verification.exists() else []
    if table:
        lines += ["## Verification", "",
                  "Medians on one thread; the last column is what the signatures alone take.", "", *table, ""]
    missing = [name for name in ("start", "instructions", "crowd", "engines", "steady", "network", "memory",
                                 "conversion", "handshake")
               if not result(name)] + ([] if table else ["verification"])
    if missing:
        lines += [f"Not run: {', '.join(missing)}.", ""]
    (docs / "benchmarks.md").write_text("\n".join(lines))


main()
