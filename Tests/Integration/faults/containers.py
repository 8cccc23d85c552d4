"""Faults in the state of containers and in volumes."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import trace
from scenario import ARCA, Scenario, require


# What a newer crun keeps beside its containers' states: the filters of calls that it compiled.
CRUNS_CACHE = ".cache"


class VolumeCreate(Scenario):
    name = "volume create"

    def command(self, folder):
        return [ARCA, "volume", "create", "--size", "64m", "data"]

    def state(self, folder):
        listed = json.loads(self.succeed([ARCA, "volume", "list", "--json"], folder))
        for volume in listed:
            require(not volume["isInUse"], f"{volume['name']} is in use by nobody")
        return [(volume["name"], volume["sizeBytes"]) for volume in listed]

    def again(self, folder, seen, after):
        if seen == after:
            self.succeed([ARCA, "volume", "remove", "data"], folder)
        return super().again(folder, seen, after)

    def leftovers(self, folder):
        known = {".lock", "data"}
        return [path.name for path in Path(folder).glob("data/volumes/*") if path.name not in known]


class VolumeRemove(VolumeCreate):
    name = "volume remove"
    fills = False

    def prepare(self, folder):
        self.succeed(super().command(folder), folder)

    def command(self, folder):
        return [ARCA, "volume", "remove", "data"]

    def again(self, folder, seen, after):
        """Removing what is not there does nothing; making one cleans."""
        self.succeed(self.command(folder), folder)
        self.succeed([ARCA, "volume", "create", "--size", "64m", "other"], folder)
        self.succeed([ARCA, "volume", "remove", "other"], folder)
        return after


def control_groups(name):
    return [path for path in Path("/sys/fs/cgroup").glob("*/*") if name in path.name] + [
        path for path in Path("/sys/fs/cgroup").glob("*") if name in path.name]


def require_gone(ids):
    """No control group, so no process, of these containers is left; killed ones take a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [str(group) for id in ids for group in control_groups(id)]
        if not left:
            return
        time.sleep(0.05)
    require(False, f"left are {left}")


class Run(Scenario):
    """A container's folder, from its making to its end; an enclave's stand-in ends at once."""

    name = "run"
    weight = 2
    fills = False

    def __init__(self, image, kind="sim-sgx"):
        self.image = f"oci:{image}"
        self.kind = kind
        self.seen = set()

    def prepare(self, folder):
        self.succeed(self.command(folder), folder)
        self.succeed([ARCA, "rm", "box"], folder)

    def command(self, folder):
        return [ARCA, "run", "--tee", self.kind, "--name", "box", self.image, "true"]

    def state(self, folder):
        self.note(folder)
        listed = json.loads(self.succeed([ARCA, "ps", "-a", "--json"], folder))
        for entry in listed:
            require(entry["state"] == "exited", f"{entry['name']} is {entry['state']}")
        return [(entry["name"], entry["exitStatus"]) for entry in listed]

    def note(self, folder):
        """Remembers which containers there have been."""
        self.seen |= {path.name.removeprefix(".new-").removeprefix(".old-")
                      for path in Path(folder).glob("state/containers/*")}
        log = Path(folder).parent / "strace"
        if log.exists():
            self.seen |= set(
                re.findall(r"/containers/(?:\.new-)?([0-9a-f]{12})\b", log.read_text()))

    def between(self, before, after):
        """Not begun, or ended by the fault."""
        return [[("box", status)] for status in (125, 137)]

    def again(self, folder, seen, after):
        if seen:
            self.succeed([ARCA, "rm", "box"], folder)
        return super().again(folder, seen, after)

    def leftovers(self, folder):
        self.note(folder)
        require_gone(self.seen)
        held = Path(folder)
        patterns = ["state/containers/*", "state/oci/*", "data/*.new", "data/vmm/.*",
                    "data/images/tmp/*"]
        return [str(path) for pattern in patterns for path in held.glob(pattern)
                if path != held / "state/oci" / CRUNS_CACHE and not (path / "record").exists()]


class FirstRun(Run):
    """With all that the first run makes: the image, the outer container's root, the vendor."""

    name = "first run"
    weight = 1
    fills = True

    def prepare(self, folder):
        pass

    def leftovers(self, folder):
        index = Path(f"{folder}/data/vmm/index").read_text().splitlines()[-1]
        return super().leftovers(folder) + [
            str(path) for path in Path(folder).glob("data/vmm/root-*") if path.name != index]


class RunRemoved(Run):
    """With --rm nothing is left, whatever happens."""

    name = "run --rm"

    def prepare(self, folder):
        self.succeed(self.command(folder), folder)

    def command(self, folder):
        return [ARCA, "run", "--rm", "--tee", self.kind, "--name", "box", self.image, "true"]

    def between(self, before, after):
        return []


class Rm(Run):
    name = "rm"
    weight = 1

    def prepare(self, folder):
        self.succeed(super().command(folder), folder)

    def command(self, folder):
        return [ARCA, "rm", "box"]

    def again(self, folder, seen, after):
        if seen:
            self.succeed(self.command(folder), folder)
        return after


class Create(Scenario):
    """The operations of an engine, up to a guest that boots."""

    name = "runtime create"
    weight = 2
    fills = False

    def __init__(self, busybox):
        self.busybox = busybox
        self.id = f"faults-{os.getpid()}-{self.name.split()[-1]}"

    def runtime(self, folder, *words):
        program = Path(ARCA).parent / "arca-runtime"
        return [program, "--root", f"{folder}/engine", *words]

    def prepare(self, folder):
        bundle = Path(folder) / "bundle"
        (bundle / "rootfs/bin").mkdir(parents=True)
        shutil.copy(self.busybox, bundle / "rootfs/bin/busybox")
        self.succeed(self.runtime(folder, "spec", "--bundle", bundle), folder)
        spec = json.loads((bundle / "config.json").read_text())
        spec["process"] |= {"terminal": False, "args": ["/bin/busybox", "sleep", "60"]}
        (bundle / "config.json").write_text(json.dumps(spec))
        self.succeed(self.create(folder), folder)
        self.succeed(self.delete(folder), folder)

    def create(self, folder):
        return self.runtime(folder, "create", "--bundle", f"{folder}/bundle", self.id)

    def delete(self, folder):
        return self.runtime(folder, "delete", "--force", self.id)

    def command(self, folder):
        return self.create(folder)

    def state(self, folder):
        listed = self.succeed(self.runtime(folder, "list", "--format", "json"), folder)
        return [(entry["id"], entry["status"]) for entry in json.loads(listed)]

    def between(self, before, after):
        """Noted down, but without an outer container yet, or not any more."""
        return [[(self.id, "stopped")]]

    def again(self, folder, seen, after):
        """An engine whose runtime failed deletes by force; one that is not there is made anew."""
        if seen:
            self.succeed(self.delete(folder), folder)
        self.succeed(self.create(folder), folder)
        require(self.state(folder) == [(self.id, "created")], "made anew, it is not created")
        self.succeed(self.delete(folder), folder)
        require(not self.state(folder), "deleted, it is still listed")
        require_gone([self.id])
        return []

    def leftovers(self, folder):
        held = Path(folder) / "engine"
        return [str(path) for path in held.glob("*") if path.name != ".outer"] + [
            str(path) for path in held.glob(".outer/*") if path.name != CRUNS_CACHE]


class Delete(Create):
    name = "runtime delete"

    def prepare(self, folder):
        super().prepare(folder)
        self.succeed(self.create(folder), folder)

    def command(self, folder):
        return self.delete(folder)


def scenarios(image, busybox):
    return [VolumeCreate(), VolumeRemove(), FirstRun(image), Run(image), RunRemoved(image),
            Rm(image), Create(busybox), Delete(busybox)]
