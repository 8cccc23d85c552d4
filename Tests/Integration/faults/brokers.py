"""Faults in the key broker's embedded store, its keys and its backups."""

import json
import re
import shutil
from pathlib import Path

import trace
from scenario import KBS, Scenario, require

CONTENTS = {"default/app/one": b"first secret", "default/app/two": b"second secret" * 4000}
POLICY = """
version: 1
rules:
  - name: {name}
    resources: [default/app/*]
    tees: [snp]
    platforms: any
    workloads: any
"""


class Broker(Scenario):
    """What all scenarios of the broker see: resources with their contents, what the audit log
    says was changed, and that its chain holds."""

    follows = True
    shows_when_full = False

    def prepare(self, folder):
        self.broker(folder, "init")
        for path, content in CONTENTS.items():
            self.set(folder, path, content)
        self.write(folder, "new", b"new secret")

    def command(self, folder):
        words = self.words(folder)
        at = 2 if words[0] in ("resource", "policy", "audit") else 1
        return [KBS, *words[:at], "--folder", f"{folder}/broker", *words[at:]]

    def words(self, folder):
        raise NotImplementedError

    def broker(self, folder, *words, input=None):
        done = self.attempt(folder, *words, input=input)
        require(done.status == 0,
                f"{' '.join(words[:3])}: status {done.status}: {done.err.strip()}")
        return done.out

    def attempt(self, folder, *words, input=None):
        at = 2 if words[0] in ("resource", "policy", "audit") else 1
        command = [KBS, *words[:at], "--folder", f"{folder}/broker", *words[at:]]
        return trace.run(command, self.environment(folder), input)

    def set(self, folder, path, content):
        self.broker(folder, "resource", "set", path, "-", input=content)

    @staticmethod
    def write(folder, name, content):
        path = Path(folder) / name
        path.write_bytes(content)
        path.chmod(0o600)

    def state(self, folder):
        self.broker(folder, "audit", "verify")
        listed = self.broker(folder, "resource", "list").splitlines()
        contents = {}
        for line in listed:
            path = line.split("\t")[0]
            contents[path] = self.broker(folder, "resource", "get", path)
        changes = [self.change(json.loads(line.split("\t", 1)[1]))
                   for line in self.broker(folder, "audit", "show").splitlines()]
        return contents, [change for change in changes if change]

    @staticmethod
    def change(entry):
        details = entry["details"]
        if entry["action"] == "resource" and details["call"] != "get":
            return details["call"], details["path"]
        return (entry["action"], "") if entry["action"] in ("policy", "rotate") else None

    def leftovers(self, folder):
        return [str(path) for path in Path(folder).rglob("*") if ".new" in path.suffixes]

    def again(self, folder, seen, after):
        """Whoever does it twice has it done once more in the log."""
        super().again(folder, seen, after)
        contents, log = after
        return contents, log + log[-1:] if seen == after else log


class Init(Broker):
    """A folder that is not finished says so."""

    name = "broker init"

    def prepare(self, folder):
        pass

    def words(self, folder):
        return ["init"]

    def state(self, folder):
        if not Path(f"{folder}/broker/arca-kbs.yaml").exists():
            return "none"
        done = self.attempt(folder, "resource", "list")
        if done.status != 0:
            require("init was broken off" in done.err, f"unfinished: {done.err.strip()}")
            return "none"
        return super().state(folder)

    def again(self, folder, seen, after):
        if seen == "none":
            self.succeed(self.command(folder), folder)
        return after

    def leftovers(self, folder):
        keys = list(Path(f"{folder}/broker/master-keys").iterdir())
        return super().leftovers(folder) + [str(key) for key in keys[1:]]


class SetNew(Broker):
    name = "broker resource set"
    weight = 2

    def words(self, folder):
        return ["resource", "set", "default/app/three", f"{folder}/new"]


class SetOver(Broker):
    name = "broker resource set over another"

    def words(self, folder):
        return ["resource", "set", "default/app/one", f"{folder}/new"]


class Delete(Broker):
    name = "broker resource delete"

    def words(self, folder):
        return ["resource", "delete", "default/app/two"]

    def again(self, folder, seen, after):
        if seen != after:
            return super().again(folder, seen, after)
        done = trace.run(self.command(folder), self.environment(folder))
        require("no such resource" in done.err, f"deleted twice: {done.err.strip()}")
        return after[0], after[1] + after[1][-1:]


class Policy(Broker):
    name = "broker policy install"

    def prepare(self, folder):
        super().prepare(folder)
        self.write(folder, "policy.yaml", POLICY.format(name="other").encode())

    def words(self, folder):
        return ["policy", "install", f"{folder}/policy.yaml"]


class Rotate(Broker):
    """A key that nothing was wrapped under yet is of no use to anyone, and does no harm."""

    name = "broker rotate"
    weight = 2

    def words(self, folder):
        return ["rotate"]

    def state(self, folder):
        for key in Path(f"{folder}/broker/master-keys").iterdir():
            require(key.suffix == ".new" or re.fullmatch(r"[0-9a-f]{64}\n", key.read_text()),
                    f"{key}: half a key")
        return super().state(folder)


class Backup(Broker):
    name = "broker backup"

    def words(self, folder):
        return ["backup", f"{folder}/backup"]

    def state(self, folder):
        saved = Path(f"{folder}/backup")
        return super().state(folder), self.restored(folder) if saved.exists() else None

    def restored(self, folder):
        """What the backup gives in a broker's folder of its own."""
        other = Path(folder) / "other"
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(f"{folder}/broker", other / "broker")
        shutil.copy(f"{folder}/backup", other / "backup")
        self.broker(other, "restore", "--replace", f"{other}/backup")
        found = super().state(other)
        shutil.rmtree(other)
        return found

    def again(self, folder, seen, after):
        if seen[1]:
            done = trace.run(self.command(folder), self.environment(folder))
            require("not replaced" in done.err, f"backed up twice: {done.err.strip()}")
            return after
        self.succeed(self.command(folder), folder)
        return after


class Restore(Broker):
    """Between the old store and the new one there may be none; then the broker says so."""

    name = "broker restore"

    def prepare(self, folder):
        super().prepare(folder)
        self.broker(folder, "backup", f"{folder}/backup")
        self.broker(folder, "resource", "delete", "default/app/two")

    def words(self, folder):
        return ["restore", "--replace", f"{folder}/backup"]

    def state(self, folder):
        if not Path(f"{folder}/broker/broker.db").exists():
            done = self.attempt(folder, "resource", "list")
            require("no such store" in done.err, f"without a store: {done.err.strip()}")
            return "none"
        return super().state(folder)

    def between(self, before, after):
        return ["none"]

    def again(self, folder, seen, after):
        self.succeed(self.command(folder), folder)
        return after


def scenarios():
    return [kind() for kind in
            (Init, SetNew, SetOver, Delete, Policy, Rotate, Backup, Restore)]
