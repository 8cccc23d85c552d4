"""Commands whose system calls are made to fail, or to be the last, by strace."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# What changes files; opening counts where it may make one.
CALLS = (
    "write pwrite64 writev pwritev fsync fdatasync ftruncate fallocate copy_file_range sendfile "
    "openat open creat mkdir mkdirat rename renameat renameat2 link linkat symlink symlinkat "
    "unlink unlinkat rmdir chmod fchmod fchmodat").split()
# What a full disk refuses; the rest only fails with its hardware, and any call can be the last.
TAKES_SPACE = set(CALLS[:CALLS.index("unlink")])
TRAPS = {4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 11: "SIGSEGV"}
SECONDS_MAX = 120
ALIKE_MAX = 64


@dataclass(frozen=True)
class Fault:
    """The call `call`, the `number`th of its thread, ends as `kind` says: ENOSPC, EIO or KILL;
    where it lasts, so do all that follow."""

    call: str
    number: int
    kind: str
    lasts: bool = False

    def __str__(self):
        return f"{self.kind} at {self.call} {self.number}"

    @property
    def injection(self):
        how = "signal=KILL" if self.kind == "KILL" else f"error={self.kind}"
        return f"inject={self.call}:{how}:when={self.number}{'+' * self.lasts}"


@dataclass
class Outcome:
    """How a command ended; `status` is negative for a signal. `log` is strace's."""

    status: int
    out: str
    err: str
    log: str = ""

    @property
    def is_killed(self):
        return self.status == -9

    @property
    def is_hit(self):
        return self.is_killed or "(INJECTED)" in self.log

    @property
    def is_of_the_runtime(self):
        """Whether the fault met what loads and schedules the program: the loader says so, and
        libdispatch, which looks at its own process in /proc, traps."""
        return "error while loading shared libraries" in self.err or bool(
            self.trap and re.search(r'"/proc/\d+/stat".*(INJECTED|<unfinished)', self.log))

    @property
    def trap(self):
        """The signal of a program that found itself in the wrong, or of one that hangs."""
        number = -self.status if self.status < 0 else self.status - 128
        if self.status == 124:
            return f"no end after {SECONDS_MAX} s"
        return TRAPS.get(number) or ("a trap" if "Fatal error" in self.err else None)


def run(command, environment, input=None):
    """Runs a command to its end; what it starts may go on, and keep the files that it prints to."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [str(word) for word in command], env=environment, stdin=subprocess.PIPE, stdout=out,
            stderr=err)
        try:
            process.communicate(input or b"", timeout=SECONDS_MAX)
            status = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = 124
        out.seek(0)
        err.seek(0)
        return Outcome(
            status, out.read().decode(errors="replace"), err.read().decode(errors="replace"))


def strace(log, follows, fault=None):
    """What stands before a command."""
    words = ["strace", "-qq", "-y", "-s", "64", "-e", "signal=none", "-o", str(log)]
    words += ["-e", "trace=" + ",".join(CALLS)]
    return words + ["-f"] * follows + (["-e", fault.injection] if fault else [])


def traced(command, environment, log, follows, fault=None, input=None):
    """Runs a command under strace, `follows` its threads and children, with a fault or none."""
    Path(log).unlink(missing_ok=True)
    outcome = run(strace(log, follows, fault) + command, environment, input)
    outcome.log = Path(log).read_text(errors="replace") if Path(log).exists() else ""
    return outcome


LINE = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)")


def points(log, folder):
    """Every call in strace's log that may change what is beneath `folder`, once for each thread's
    count of it, in order; of many alike on one file the first, the second, the fourth and so on."""
    counts, found, alike = {}, [], {}
    for line in log.splitlines():
        match = LINE.match(line)
        if not match or match[2] not in CALLS:
            continue
        thread, call, rest = match[1], match[2], match[3]
        number = counts[thread, call] = counts.get((thread, call), 0) + 1
        if str(folder) not in rest:
            continue
        if call in ("openat", "open") and not re.search(r"O_(CREAT|WRONLY|RDWR)", rest):
            continue
        file = re.search(re.escape(str(folder)) + r"[^>\"]*", rest)[0]
        times = alike[call, file] = alike.get((call, file), 0) + 1
        if times & (times - 1) and times > ALIKE_MAX:
            continue
        if (call, number) not in found:
            found.append((call, number))
    return found


def faults(points):
    """Every fault at these points."""
    return [
        Fault(call, number, kind) for call, number in points
        for kind in (["ENOSPC"] if call in TAKES_SPACE else []) + ["EIO", "KILL"]]


def sample(faults, most):
    """At most so many, evenly spread over the run, the kinds by turns."""
    if most is None or len(faults) <= most:
        return faults
    return [faults[(2 * index + 1) * len(faults) // (2 * most)] for index in range(most)]
