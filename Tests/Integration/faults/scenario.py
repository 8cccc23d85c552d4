"""A command, what may be seen before and after it, and the loop that puts faults into it."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import trace

ROOT = Path(__file__).resolve().parents[3]
ARCA = os.environ.get("ARCA", str(ROOT / "out/bin/arca"))
KBS = os.environ.get("ARCA_KBS", str(ROOT / "out/bin/arca-kbs"))


class Broken(Exception):
    """Something that must hold does not."""


def require(holds, words):
    if not holds:
        raise Broken(words)


def tree(folder):
    """Every file beneath `folder` with its digest, and every folder."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


class Scenario:
    """One command. `state` is what its user can see, and never has anything half-made in it."""

    name = ""
    # Whether the faults also go into threads and children.
    follows = False
    # Whether it is run on a full disk too.
    fills = True
    # Whether what is to be seen can be seen while the disk is full.
    shows_when_full = True
    # How its faults are tried, where that is not as a command.
    trial = None
    # How many times as many faults as another's are worth trying.
    weight = 1

    def prepare(self, folder):
        """Makes what the command finds."""

    def command(self, folder):
        raise NotImplementedError

    def environment(self, folder):
        return os.environ | {"ARCA_DATA": f"{folder}/data", "ARCA_STATE": f"{folder}/state"}

    def state(self, folder):
        raise NotImplementedError

    def between(self, before, after):
        """States that are neither but whole."""
        return []

    def leftovers(self, folder):
        """What only killed commands leave."""
        return []

    def again(self, folder, seen, after):
        """The same command once more; returns what is then to be seen."""
        self.succeed(self.command(folder), folder)
        return after

    def run(self, folder, *words):
        return trace.run([ARCA, *words], self.environment(folder))

    def succeed(self, command, folder):
        done = trace.run(command, self.environment(folder))
        require(done.status == 0, f"{words(command)}: status {done.status}: {done.err.strip()}")
        return done.out


def words(command):
    return " ".join(str(word).rsplit("/", 1)[-1] for word in command)


class Trial:
    """A scenario with its folders; each fault starts from a copy of what was prepared."""

    def __init__(self, scenario, work):
        self.scenario = scenario
        self.work = Path(work)
        # One path for all, since records hold paths.
        self.folder = self.work / "here"
        self.ready = self.work / "ready"
        self.log = self.work / "strace"
        self.failures, self.points = [], []
        self.hits = self.misses = 0

    def start(self):
        self.folder.mkdir(parents=True)
        self.scenario.prepare(self.folder)
        self.before = self.scenario.state(self.folder)
        subprocess.run(["cp", "-a", self.folder, self.ready], check=True)
        done = trace.traced(
            self.scenario.command(self.folder), self.scenario.environment(self.folder), self.log,
            self.scenario.follows)
        require(done.status == 0, f"{self.scenario.name}: without a fault: {done.err.strip()}")
        self.after = self.scenario.state(self.folder)
        self.points = trace.points(done.log, self.folder)
        require(self.points, f"{self.scenario.name}: strace saw no write")

    def reset(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run(["cp", "-a", self.ready, self.folder], check=True)

    def inject(self, fault):
        self.reset()
        outcome = trace.traced(
            self.scenario.command(self.folder), self.scenario.environment(self.folder), self.log,
            self.scenario.follows, fault)
        if not outcome.is_hit or outcome.is_of_the_runtime:
            self.misses += 1
            return
        self.hits += 1
        self.judge(outcome, str(fault), lambda: None)

    def judge(self, outcome, where, mend):
        """Checks what a fault left, mends its cause, and runs the command again."""
        try:
            if not self.scenario.shows_when_full:
                mend()
            require(outcome.trap is None, f"ended by {outcome.trap}: {outcome.err.strip()[-300:]}")
            seen = self.scenario.state(self.folder)
            if outcome.status == 0:
                require(seen == self.after, f"succeeded, but left {seen}")
            else:
                require(outcome.is_killed or is_named(outcome.err),
                        f"the error has no reason: status {outcome.status}: {outcome.err.strip()}")
                whole = [self.before, self.after, *self.scenario.between(self.before, self.after)]
                require(seen in whole, f"left {seen}")
            mend()
            expected = self.scenario.again(self.folder, seen, self.after)
            seen = self.scenario.state(self.folder)
            require(seen == expected, f"run again, it left {seen}, expected {expected}")
            left = self.scenario.leftovers(self.folder)
            require(not left, f"run again, it did not clean {left}")
        except Broken as broken:
            self.failures.append(f"{self.scenario.name}: {where}: {broken}")

    def fill(self, steps):
        """The command on a disk with less and less room."""
        need = sum(f.stat().st_blocks for f in self.folder.rglob("*") if not f.is_symlink()) * 512
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        size = 2 * need + (64 << 20)
        for step in range(steps):
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", self.folder], check=True)
            try:
                subprocess.run(["cp", "-a", f"{self.ready}/.", self.folder], check=True)
                self.leave(need * step // steps)
                outcome = trace.run(
                    self.scenario.command(self.folder), self.scenario.environment(self.folder))
                self.hits += outcome.status != 0
                self.judge(outcome, f"disk with {step}/{steps} of the room", self.make_room)
            finally:
                subprocess.run(["umount", "-l", self.folder], check=True)

    @property
    def ballast(self):
        return self.folder / "ballast"

    def leave(self, room):
        room = room // 4096 * 4096
        free = os.statvfs(self.folder)
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, free.f_bavail * free.f_frsize - room))

    def make_room(self):
        self.ballast.unlink(missing_ok=True)


REASONS = ("No space", "no space", "nput/output error", "I/O error", "SQLite error", "cannot",
           "couldn", "could not", "failed")


def is_named(text):
    """Whether one of Arca's lines says what was wrong, with what."""
    lines = [line for line in text.splitlines() if line.startswith(("arca: ", "Error: "))]
    return any(reason in line and len(line) > 20 for line in lines for reason in REASONS)


def temporary():
    return tempfile.mkdtemp(prefix="arca-faults-")
