#!/usr/bin/env python3
"""Runs opencontainers/runtime-tools' validation with runc and with arca, and compares them.

    runtime_tools.py ARCA-RUNTIME [TEST...]

The table in docs/spec-conformance.md names the checks that runc passes and arca does not, each with
the reason why a TEE cannot. This fails where arca does not pass a check that runc passes on the same
machine and that the table does not name, and where it passes everything that a line of the table names.

  ARCA_RUNTIME_TOOLS     a work tree of the suite (default: cloned from GitHub, once)
  ARCA_RUNTIME_TOOLS_GO  Go 1.21 or later (default: `go`, or the newest beneath /usr/lib)

Needs root and runc. Exit status: 0 where all is as the table says, 1 where it is not, 77 where the
suite or what it needs cannot be had, which CI treats as a failure.
"""

import collections
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = "https://github.com/opencontainers/runtime-tools"
COMMIT = "5e639034dcdc2422164e3d7d76a737e2fb451a67"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TABLE = ROOT / "docs" / "spec-conformance.md"
GROUP = "arca-runtime-tools"
SECONDS_MAX = 240
# The suite waits ten seconds for a program to end, which a guest on a busy machine may exceed.
RERUNS_MAX = 2
# A check of this program's own, for tests that print none.
NO_ERROR = "ends without an error"


def cannot_run(reason):
    print(f"runtime-tools: cannot run: {reason}", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def run(*command, folder=None, **environment):
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        errors="replace")


# The suite.

def go_program():
    found = [os.environ.get("ARCA_RUNTIME_TOOLS_GO"), shutil.which("go")]
    found += sorted(glob.glob("/usr/lib/go-1.*/bin/go"), reverse=True)
    for program in filter(None, found):
        version = re.search(r"go1\.(\d+)", run(program, "version", GOTOOLCHAIN="local").stdout)
        if version and int(version[1]) >= 21:
            return program
    cannot_run("no Go 1.21 or later; install golang-go of Debian 13, or name one with "
               "ARCA_RUNTIME_TOOLS_GO")


def suite():
    """The folder of the built suite."""
    given = os.environ.get("ARCA_RUNTIME_TOOLS")
    folder = pathlib.Path(given or pathlib.Path.home() / ".cache" / "arca" / "runtime-tools")
    if not folder.is_dir():
        if given:
            cannot_run(f"{folder} is no folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        cloned = run("git", "clone", "-q", REPOSITORY, str(folder))
        if cloned.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            cannot_run(f"{REPOSITORY} cannot be cloned: {cloned.stderr.strip()}")
        run("git", "checkout", "-q", COMMIT, folder=folder)
    found = run("git", "-c", "safe.directory=*", "rev-parse", "HEAD", folder=folder).stdout.strip()
    if found != COMMIT:
        cannot_run(f"{folder} is at {found or 'no commit'}; the table is of {COMMIT}")
    sources = {path.parent.name for path in folder.glob("validation/*/*.go")} - {"util"}
    built = {path.stem for path in folder.glob("validation/*/*.t")}
    if sources - built or not (folder / "runtimetest").exists():
        go = go_program()
        made = run(
            "make", "runtimetest", "validation-executables", folder=folder,
            PATH=f"{os.path.dirname(go)}:{os.environ['PATH']}", GOFLAGS="-mod=vendor",
            GOPROXY="off", GOTOOLCHAIN="local", CGO_ENABLED="0")
        if made.returncode:
            sys.exit(f"runtime-tools: the suite does not build:\n{made.stderr[-2000:]}")
    return folder


# Running it. It leaves mounts, processes and control groups behind, so it gets its own of each.

def hierarchies():
    """The mounted control group hierarchies: folders and what mounts them again."""
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        place, kind = line.split(" - ")
        folder, kind = place.split()[4], kind.split()
        if kind[0] == "cgroup2" and folder == "/sys/fs/cgroup":
            # One hierarchy for all: a group with processes cannot have groups with controllers.
            continue
        if kind[0] in ("cgroup", "cgroup2"):
            options = [o for o in kind[2].split(",") if o not in ("rw", "ro", "xattr")]
            if any(option.startswith("name=") for option in options):
                options.insert(0, "none")
            found[folder] = (kind[0], options if kind[0] == "cgroup" else [])
    return found


def enter_groups():
    for folder in hierarchies():
        group = pathlib.Path(folder) / GROUP
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (group / name).exists() and not (group / name).read_text().strip():
                (group / name).write_text((pathlib.Path(folder) / name).read_text())
        (group / "cgroup.procs").write_text(str(os.getpid()))


def leave_no_groups():
    for folder in hierarchies():
        for path, _, _ in os.walk(f"{folder}/{GROUP}", topdown=False):
            try:
                os.rmdir(path)
            except OSError as error:
                print(f"runtime-tools: {path} stays: {error}", file=sys.stderr)


def run_all(runtime, folder, work, names):
    """Every test with one runtime: output, standard error and exit status by name."""
    results = work / f"{os.path.basename(runtime)}.json"
    subprocess.run(
        ["unshare", "-C", "-p", "-f", "--kill-child", "unshare", "-m", "--propagation", "private",
         sys.executable, __file__, "--inside", runtime, folder, work, results, *names],
        check=True, preexec_fn=enter_groups)
    return json.loads(results.read_text())


def inside(runtime, folder, work, results, *names):
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    for path, (kind, options) in hierarchies().items():
        subprocess.run(["umount", "-l", path], check=True)
        option = ["-o", ",".join(options)] if options else []
        subprocess.run(["mount", "-t", kind, *option, kind, path], check=True)
    temporary = pathlib.Path(work) / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {
        **os.environ, "RUNTIME": runtime, "TMPDIR": str(temporary),
        "ARCA_DATA": f"{work}/data", "ARCA_STATE": f"{work}/state"}
    found = {}
    for name in names:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            # Containers may keep the streams open, so these are files.
            try:
                status = subprocess.run(
                    [f"validation/{name}/{name}.t"], cwd=folder, env=environment, stdout=output,
                    stderr=errors, stdin=subprocess.DEVNULL, timeout=SECONDS_MAX).returncode
            except subprocess.TimeoutExpired:
                status = f"none after {SECONDS_MAX} seconds"
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        found[name] = [*texts, status]
        if os.environ.get("ARCA_RUNTIME_TOOLS_VERBOSE"):
            print(f"{os.path.basename(runtime)} {name}: {status}", file=sys.stderr)
    pathlib.Path(results).write_text(json.dumps(found))


# What came of it.

def printed(output):
    """The lines of a test's output, and those of the programs that ran inside, which it quotes."""
    for line in output.splitlines():
        yield line
        if match := re.match(r'\s*"stdout": (".*"),?$', line):
            yield from json.loads(match[1]).splitlines()


def checks(output, status):
    """How often each check of a test's output is passed and not."""
    passed, failed = collections.Counter(), collections.Counter()
    for line in printed(output):
        match = re.match(r"(not )?ok\b(?: \d+)?(?: - )?(.*)", line)
        if not match or "# SKIP" in line or "# TODO" in line:
            continue
        # Names of what is made for a test alone.
        name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", match[2])
        name = re.sub(r"/\S*ocitest\d+", "BUNDLE", name)
        name = re.sub(r"/(target|mount|test|example)\d+", r"/\1", name).strip()
        (failed if match[1] else passed)[name] += 1
    silent = not passed and not failed
    isFine = status == 0 and not (silent and '"error":' in output)
    (passed if isFine else failed)[NO_ERROR] += 1
    return passed, failed


def covers(pattern, check):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), check) is not None


def table():
    """The lines of the document's table: tests, patterns of checks, reason."""
    lines = []
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 3:
            lines.append((*(re.findall(r"`([^`]+)`", cell) for cell in cells[:2]), cells[2]))
    return lines


def compare(names, ours, theirs):
    """The sentences about what is not as the table says, and how many checks there were."""
    wrong, counts, explained, passed = [], collections.Counter(), set(), set()
    lines = table()
    for name in names:
        runc, _ = checks(theirs[name][0], theirs[name][2])
        arca, _ = checks(ours[name][0], ours[name][2])
        counts["runc"] += sum(runc.values())
        counts["arca"] += sum((runc & arca).values())
        unexplained = []
        for check, count in runc.items():
            covering = {(line[0][0], pattern) for line in lines
                        if any(covers(test, name) for test in line[0])
                        for pattern in line[1] if covers(pattern, check)}
            (explained if count > arca[check] else passed).update(covering)
            if count > arca[check] and not covering:
                unexplained.append(check)
        if unexplained:
            shown = "".join(f"\n    {check}" for check in unexplained[:12])
            more = f"\n    and {len(unexplained) - 12} more" if len(unexplained) > 12 else ""
            said = ours[name][1].strip()[-400:].replace("\n", "\n    ")
            wrong.append(f"{name}: runc passes, arca does not:{shown}{more}"
                         + (f"\n  it said:\n    {said}" if said else ""))
    wrong += [f"{test}: arca passes `{pattern}`; take it off the table"
              for test, pattern in sorted(passed - explained)]
    return wrong, counts


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--inside":
        return inside(*sys.argv[2:])
    arca = os.path.abspath(sys.argv[1])
    if os.geteuid() != 0:
        cannot_run("expected to be root")
    peer = os.environ.get("ARCA_RUNTIME_TOOLS_PEER") or shutil.which("runc")
    if not peer:
        cannot_run("runc is not installed, against which arca is judged (Debian: runc)")
    folder = suite()
    every = sorted(path.stem for path in folder.glob("validation/*/*.t"))
    names = sys.argv[2:] or every
    if unknown := set(names) - set(every):
        sys.exit(f"runtime-tools: no test is called {', '.join(sorted(unknown))}")
    if not table():
        sys.exit(f"runtime-tools: {TABLE} has no table")
    if strange := {test for line in table() for test in line[0]} - {*every, "*"}:
        sys.exit(f"runtime-tools: the table has {', '.join(sorted(strange))}, the suite has not")
    work = pathlib.Path(tempfile.mkdtemp(prefix="arca-runtime-tools-"))
    try:
        theirs = run_all(peer, folder, work, names)
        ours = run_all(arca, folder, work, names)
        for _ in range(RERUNS_MAX):
            wrong, _ = compare(names, ours, theirs)
            again = sorted({sentence.split(":")[0] for sentence in wrong} & set(names))
            if not again:
                break
            print(f"runtime-tools: once more: {' '.join(again)}", file=sys.stderr)
            ours.update(run_all(arca, folder, work, again))
        wrong, counts = compare(names, ours, theirs)
        if kept := os.environ.get("ARCA_RUNTIME_TOOLS_RESULTS"):
            pathlib.Path(kept).write_text(json.dumps({"arca": ours, "peer": theirs}))
    finally:
        leave_no_groups()
        shutil.rmtree(work, ignore_errors=True)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"runtime-tools: {len(names)} tests, {counts['runc']} checks that runc passes, of which "
          f"arca passes {counts['arca']}; {len(wrong)} not as {TABLE.name} says")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
