#!/usr/bin/env python3
"""Takes the defences of docs/threat-model.md away, and demands that the test of each then fails.

    mutate.py [NAME...]    the attacks to let through; without names, all of them

mutants.txt says what is changed. What may be changed together is built together, once for the guest
and once for the host, in a copy of the tree that stands in the tree's place for the builds alone;
then each attack's tests, as the threat model names them, are run on what was built, and must fail,
and control tests of what is no attack must pass. With names, only the changes of those are made.

Root is needed, and what `make guest` and `make unit-test` built. ARCA_MUTANTS names a folder to keep
the copy in; the next run's builds are then short.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "Tests/Integration"
MUTANTS = HERE / "mutants.txt"
RELEASE = ROOT / ".build/release"
# What both ends compile, so that a change goes into the guest and the host programs.
SHARED = ("ArcaAttester", "ArcaBytes", "ArcaManifest", "ArcaWire", "TEEEvidence")
# Files of tests that another one runs.
SOURCED = {"pods.sh": "engines.sh"}
# Tests of what is no attack: they must pass in the same programs.
CONTROLS = {
    "guest": ["KindTests.aQuoteWithTheDigestInMRCONFIGIDStartsTheWorkload",
              "HostileMachineTests.aDiskWithoutItsManifestsNumberIsNoVolume",
              "EnclaveTests.theWorkloadTakesItsPlace"],
    "unit": ["HostFilesTests.inputComesBackAsItWas", "VolumeHeaderTests.aHeaderIsReadAsItWasWritten",
             "LayerMergeTests.aLinkTargetIsDataAndKeptAsItIs"],
    "run.sh": ["Tests/Integration/run.sh: test_terminal"],
    "kbs": ["Tests/Integration/kbs/test_kbs.py: test_a_tee_gets_its_secret"],
    "secrets": ["Tests/Integration/secrets/test_secrets.py: test_files_and_variables"],
    "storage.sh": ["Tests/Integration/storage.sh: what was written is there in the next run"],
}


class Edit:
    """Lines of a file, and what they become."""

    def __init__(self, path, attacks, is_alone):
        self.path, self.attacks, self.is_alone = path, attacks, is_alone
        self.before, self.after = [], []

    def reaches(self, end):
        """Whether the change is in what runs at `end`, guest or host."""
        in_guest = self.path.startswith(("Sources/Guest/", "guest/"))
        shared = self.path.split("/")[1] in SHARED
        return in_guest or shared if end == "guest" else not in_guest

    def applied(self, text):
        before, after = "".join(f"{line}\n" for line in self.before), "".join(
            f"{line}\n" for line in self.after)
        count = ("\n" + text).count("\n" + before)
        if count != 1:
            raise ValueError(f"{self.path}: {count} times '{self.before[0].strip()}'")
        return ("\n" + text).replace("\n" + before, "\n" + after)[1:]


def read_mutants():
    """The edits, what failed tests say, and why others are not in the list."""
    edits, says, excused = [], {}, {}
    attacks, path, is_alone = [], None, False
    for line in MUTANTS.read_text().split("\n"):
        mark, rest = line[:1], line[1:].strip()
        if mark in ("", "#"):
            continue
        if mark == "=":
            attacks = rest.split()
            is_alone = attacks[0] == "alone"
            attacks = attacks[is_alone:]
        elif mark == "?":
            name, text = rest.split(": ", 1)
            says.setdefault(name, []).append(text)
        elif mark == "!":
            name, why = rest.split(": ", 1)
            excused[name] = why
        elif mark == "-":
            if not edits or edits[-1].after or edits[-1].path != path:
                edits.append(Edit(path, attacks, is_alone))
            edits[-1].before.append(line[1:])
        elif mark == "+":
            edits[-1].after.append(line[1:])
        else:
            path = line
            edits.append(Edit(path, attacks, is_alone))
    return [edit for edit in edits if edit.before], says, excused


def read_attacks():
    """Each attack of the threat model with its tests."""
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\|(.*)\|$", (ROOT / "docs/threat-model.md").read_text(),
                      re.MULTILINE)
    return {name: re.findall(r"`([^`]+)`", tests) for name, tests in rows}


def kind(test):
    """What runs a test."""
    if match := re.match(r"Tests/Integration/(\w+)(\.sh)?[/:]", test):
        name = match[1] + (match[2] or "")
        return SOURCED.get(name, name)
    suite = test.split(".")[0]
    in_guest = any(f"struct {suite} " in file.read_text()
                   for file in (ROOT / "Tests/GuestTests").glob("*.swift"))
    return "guest" if in_guest else "unit"


def files(top):
    """The files below a folder, but for what was built."""
    for folder, folders, names in os.walk(top):
        if folder == str(top):
            folders[:] = [name for name in folders
                          if name not in (".git", "out") and not name.startswith(".build")]
        for name in names:
            path = pathlib.Path(folder, name)
            if path.is_file():
                yield str(path.relative_to(top))


class Build:
    """A copy of the tree with some edits, and the programs that come of it."""

    def __init__(self, work, edits):
        self.work, self.edits, self.prefix = work, edits, work / "prefix"
        self.tree = work / "tree"
        work.mkdir(parents=True, exist_ok=True)

    def make(self, kinds):
        shutil.rmtree(self.prefix, ignore_errors=True)
        (self.prefix / "bin").mkdir(parents=True)
        texts = {}
        for edit in self.edits:
            texts.setdefault(edit.path, (ROOT / edit.path).read_text())
            texts[edit.path] = edit.applied(texts[edit.path])
        self.copy_tree({path: text.encode() for path, text in texts.items()})
        shutil.copytree(ROOT / "out/lib", self.prefix / "lib")
        if any(edit.reaches("guest") for edit in self.edits):
            shutil.copy(RELEASE / "arca-guest-build", self.work)
            self.run([self.work / "arca-guest-build", "--output", self.prefix / "lib/arca/guest"])
        programs = ROOT / "out/bin"
        if kinds - {"guest"} and any(edit.reaches("host") for edit in self.edits):
            self.run(["swift", "build", "-c", "release"])
            if "unit" in kinds:
                self.run(["swift", "build", "-c", "release", "--build-tests"])
            programs = self.tree / ".build/release"
            shutil.copy(programs / "arca-launcher", self.prefix / "lib/arca")
        for program in ("arca", "arca-kbs"):
            shutil.copy(programs / program, self.prefix / "bin")

    def copy_tree(self, changed):
        """The sources, with what is `changed`; what is in the copy already, built too, stays."""
        self.tree.mkdir(exist_ok=True)
        for built in ROOT.glob(".build*"):
            if not (self.tree / built.name).exists():
                subprocess.run(["cp", "-a", "--reflink=auto", built, self.tree], check=True)
        sources = set(files(ROOT))
        for path in set(files(self.tree)) - sources:
            (self.tree / path).unlink()
        for path in sources:
            original, copy = ROOT / path, self.tree / path
            content = changed.get(path, original.read_bytes())
            if copy.exists() and copy.read_bytes() == content:
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, copy)
            if path in changed:
                copy.write_bytes(content)

    def in_place(self, command):
        """Runs a command to which the copy is the tree, since builds hold absolute paths."""
        return subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"', "sh", self.tree, ROOT,
             *command], capture_output=True, text=True, check=False)

    def run(self, command):
        done = self.in_place(command)
        if done.returncode != 0:
            text = done.stdout + done.stderr
            faults = [line for line in text.split("\n") if "error:" in line]
            raise ValueError((faults or text[-500:].split("\n"))[0])

    def environment(self):
        return os.environ | {
            "ARCA": str(self.prefix / "bin/arca"), "ARCA_KBS": str(self.prefix / "bin/arca-kbs"),
            "ARCA_LIB": str(self.prefix / "lib/arca")}

    # Running tests: of each, whether it failed (None: neither that nor passed) and what was said.

    def outcomes(self, runner, tests):
        """Each test with its outcome, as they come."""
        names = {test: test.split(": ")[-1] for test in tests}
        if runner in ("kbs", "secrets"):
            yield from self.python_tests(runner, names).items()
        elif runner == "storage.sh":
            _, text = self.script([HERE / runner])
            for test, name in names.items():
                yield test, (True if f"FAIL {name}" in text else
                             False if f"ok   {name}" in text else None, text)
        elif runner in ("guest", "unit"):
            for test in tests:
                yield test, self.swift_test(runner, test)
        else:
            yield from self.shell_tests(runner, names).items()

    def shell_tests(self, runner, names):
        """Each begins with a line that names it, and says what failed."""
        shown = {test: name.removeprefix("test_") for test, name in names.items()}
        _, text = self.script([HERE / runner, *shown.values()])
        parts = re.split(rf"^(?:\w+: )?({'|'.join(shown.values())})$", text, flags=re.MULTILINE)
        said = {}
        for name, part in zip(parts[1::2], parts[2::2]):
            said[name] = said.get(name, "") + part
        return {test: ("FAILED" in said[name] if name in said else None, said.get(name, text))
                for test, name in shown.items()}

    def swift_test(self, runner, test):
        command = ["swift", "test", "-c", "release", "--skip-build", "--filter",
                   test.replace(".", "/")]
        if runner == "unit":
            done = self.in_place(command)
        else:
            done = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True,
                                  text=True, check=False)
        text = done.stdout + done.stderr
        passed = done.returncode == 0 and re.search(r"✔ Test run with [1-9]", text)
        return (False if passed else True if "✘ Test" in text else None), text

    def python_tests(self, runner, names):
        if runner == "kbs":
            words = ["-rA", "-k", " or ".join(names.values())]
        else:
            words = [f"Secrets.{name}" for name in names.values()]
        _, text = self.script([HERE / runner / "run", *words])
        results = {}
        for test, name in names.items():
            failed = re.search(rf"^(FAILED \S*::{name}\b|FAIL: {name} ).*", text, re.MULTILINE)
            passed = re.search(rf"^(PASSED \S*::{name}\b|{name} .*\bok$|{name} [^\n]*\n.*\bok$)", text,
                               re.MULTILINE)
            said = "\n".join(re.findall(rf".*\b{name}\b.*", text)) if failed else text
            results[test] = (True if failed else False if passed else None, said)
        return results

    def script(self, command):
        # In a PID namespace, so that nothing that a failed test started outlives it.
        environment = self.environment()
        del environment["ARCA_LIB"]
        done = subprocess.run(
            ["unshare", "-m", "-p", "--fork", "--mount-proc", "--kill-child", *command], cwd=ROOT,
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", check=False)
        return done.returncode, done.stdout


class Report:
    """What became of each attack."""

    def __init__(self):
        self.failures, self.begun = 0, time.monotonic()

    def say(self, word, text):
        self.failures += word not in ("killed", "passed", "excused")
        print(f"{word:8}{text}", flush=True)

    def took(self):
        return f"{time.monotonic() - self.begun:.0f} s"


def mutate(build, tests, says, report):
    """Builds `build` and runs `tests`, by attack."""
    kinds = {kind(test) for attack in tests.values() for test in attack}
    try:
        build.make(kinds)
    except ValueError as fault:
        return report.say("BROKEN", f"{', '.join(tests)}: {fault}")
    print(f"# built at {report.took()}: {', '.join(tests)}", flush=True)
    for each in sorted(kinds):
        controls = CONTROLS.get(each, [])
        wanted = [test for its in tests.values() for test in its if kind(test) == each]
        for test, (failed, text) in build.outcomes(each, list(dict.fromkeys(wanted)) + controls):
            if test in controls:
                report.say("passed" if failed is False else "CONTROL", test)
                keep(build, test, text, failed is False)
            for attack in tests:
                if test in tests[attack]:
                    judge(build, attack, test, failed, text, says.get(attack, [""]), report)
        print(f"# {each} done at {report.took()}", flush=True)
    return None


def judge(build, attack, test, failed, text, says, report):
    line = f"{attack}: {test}"
    is_shell = ".sh: " in test or "test_secrets" in test
    if failed is False:
        word, line = "ALIVE", f"{line} passes without the defence"
    elif failed is None:
        word, line = "UNKNOWN", f"{line}: neither passed nor failed"
    elif is_shell and not any(words in text for words in says):
        word, line = "OTHER", f"{line} fails, but says nothing of {says}"
    else:
        word = "killed"
    report.say(word, line)
    keep(build, f"{attack} {test}", text, word == "killed")


def keep(build, name, text, is_expected):
    """What a test said, for whoever looks why it did not do as it should."""
    if not is_expected:
        path = build.work / "logs" / (re.sub(r"\W+", "-", name) + ".log")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def main(names):
    if any(name.startswith("-") for name in names):
        sys.exit(__doc__)
    edits, says, excused = read_mutants()
    attacks = read_attacks()
    report = Report()
    kept = os.environ.get("ARCA_MUTANTS")
    work = pathlib.Path(kept or tempfile.mkdtemp(prefix="arca-mutants-"))
    mutated = {attack for edit in edits for attack in edit.attacks}
    for name in names or attacks:
        if name not in attacks or name not in mutated | set(excused):
            report.say("MISSING", f"{name}: not in the threat model, or not in {MUTANTS.name}")
        elif name in excused:
            report.say("excused", f"{name}: {excused[name]}")
    for name in sorted((mutated | {name.split()[0] for name in excused}) - set(attacks)):
        report.say("STALE", f"{name}: not in docs/threat-model.md")
    wanted = [name for name in attacks if name in mutated and (not names or name in names)]
    for is_alone in (False, True):
        group = [edit for edit in edits
                 if edit.is_alone == is_alone and set(edit.attacks) & set(wanted)]
        tests = {}
        for name in wanted:
            if any(name in edit.attacks for edit in group):
                tests[name] = [test for test in attacks[name]
                               if f"{name} ({test.split(': ')[-1]})" not in excused]
        if tests:
            mutate(Build(work / ("alone" if is_alone else "together"), group), tests, says, report)
    if not kept:
        for built in [*work.glob("*/tree"), *work.glob("*/prefix")]:
            shutil.rmtree(built)
        if not report.failures:
            shutil.rmtree(work)
    print(f"mutants: {report.failures} failures in {report.took()}"
          + (f"; what those tests said: {work}/*/logs" if report.failures else ""))
    return report.failures > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
