"""Faults in the cache of converted images."""

import hashlib
import json
import shutil
from pathlib import Path

from scenario import ARCA, Scenario, require, tree

BLOCK = 4096


def check_verity(rootfs):
    """The hash tree of an image's root file system, computed again from its blocks."""
    salt = bytes.fromhex(rootfs["salt"])
    data = Path(rootfs["path"]).read_bytes()
    require(len(data) == rootfs["sizeBytes"], f"{rootfs['path']}: {len(data)} bytes")

    def digests(blocks):
        return [hashlib.sha256(salt + blocks[at:at + BLOCK]).digest()
                for at in range(0, len(blocks), BLOCK)]

    level, levels = digests(data[:rootfs["dataBlocks"] * BLOCK]), []
    while True:
        packed = b"".join(level)
        packed += bytes(-len(packed) % BLOCK)
        levels.insert(0, packed)
        if len(packed) == BLOCK:
            break
        level = digests(packed)
    require(digests(levels[0])[0].hex() == rootfs["rootHash"], "the root hash is not the files'")
    stored = data[rootfs["hashStartBlock"] * BLOCK:]
    require(stored.startswith(b"".join(levels)), "the hash tree is not the files'")


class Images(Scenario):
    """What all scenarios of the cache see: its list, which agrees with its files."""

    def __init__(self, image):
        self.image = f"oci:{image}"

    def state(self, folder):
        listed = json.loads(self.succeed([ARCA, "image", "list", "--json"], folder))
        for entry in listed:
            described = json.loads(
                self.succeed([ARCA, "image", "inspect", entry["digest"]], folder))
            require(described["rootfs"]["rootHash"] == entry["rootHash"], "list and inspect differ")
            check_verity(described["rootfs"])
            kept = Path(folder) / "data/images/manifests" / entry["digest"][7:]
            found = hashlib.sha256((kept / "manifest.json").read_bytes()).hexdigest()
            require(found == entry["digest"][7:], f"{kept}/manifest.json: digest {found}")
            found = hashlib.sha256((kept / "config.json").read_bytes()).hexdigest()
            require(f"sha256:{found}" == described["configDigest"], f"{kept}/config.json: {found}")
        return [(entry["digest"], entry["names"], entry["rootHash"]) for entry in listed]

    def leftovers(self, folder):
        held = Path(folder) / "data/images"
        records = [json.loads(file.read_bytes()) for file in held.glob("manifests/*/image.json")]
        used = {record["rootfs"] for record in records}
        return [str(path) for path in held.glob("tmp/*")] + [
            str(path) for path in held.glob("rootfs/*") if path.name not in used]

    def import_image(self, folder, *more):
        return self.succeed([ARCA, "image", "import", "-q", *more, self.image], folder).strip()


class Import(Images):
    name = "image import"
    weight = 2

    def command(self, folder):
        return [ARCA, "image", "import", "-q", "-n", "app", self.image]

    def between(self, before, after):
        return [[(digest, [], root) for digest, _, root in after]]


class ImportArchive(Images):
    """From a tar file, whose compressed layer goes through a spool."""

    name = "image import of an archive"

    def prepare(self, folder):
        shutil.copy(f"{self.image[4:]}.tar", f"{folder}/image.tar")

    def command(self, folder):
        return [ARCA, "image", "import", "-q", f"oci-archive:{folder}/image.tar"]


class ImportArca(Import):
    """An Arca image, which brings its root file system and its manifest."""

    name = "image import of an Arca image"
    weight = 1

    def __init__(self, image):
        super().__init__(image)
        self.source = self.image

    def prepare(self, folder):
        build(self, folder, self.source)
        shutil.rmtree(f"{folder}/data")
        self.image = f"oci:{folder}/built"


class Build(Images):
    """The built image is whole in its place, or not there."""

    name = "image build"

    def prepare(self, folder):
        self.import_image(folder)
        derive(self, folder)

    def command(self, folder):
        return build_command(folder, self.image)

    def state(self, folder):
        built = Path(folder) / "built"
        return super().state(folder), tree(built) if built.exists() else None

    def again(self, folder, seen, after):
        shutil.rmtree(f"{folder}/built", ignore_errors=True)
        return super().again(folder, seen, after)

    def leftovers(self, folder):
        known = {"data", "state", "manifest.yaml", "key", "built"}
        return super().leftovers(folder) + [
            path.name for path in Path(folder).iterdir() if path.name not in known]


def derive(scenario, folder):
    manifest = scenario.succeed([ARCA, "manifest", "derive", scenario.image], folder)
    manifest += f"keyBroker:\n  url: https://127.0.0.1:8443\n  publicKeys: ['{'5a' * 32}']\n"
    Path(f"{folder}/manifest.yaml").write_text(manifest)
    Path(f"{folder}/key").write_bytes(bytes(range(64)))


def build_command(folder, image):
    return [ARCA, "image", "build", "--manifest", f"{folder}/manifest.yaml", "--encrypt",
            "--key-file", f"{folder}/key", "--key-uri", "kbs:///default/key/image", image,
            f"oci:{folder}/built"]


def build(scenario, folder, image):
    derive(scenario, folder)
    scenario.succeed(build_command(folder, image), folder)


class Remove(Images):
    """Removing takes the record first; a root file system without one is pruned."""

    name = "image remove"

    def prepare(self, folder):
        self.import_image(folder, "-n", "app")

    def command(self, folder):
        return [ARCA, "image", "remove", "app"]

    def again(self, folder, seen, after):
        super().again(folder, seen, after)
        self.succeed([ARCA, "image", "prune"], folder)
        return after


class Prune(Remove):
    name = "image prune"

    def prepare(self, folder):
        self.import_image(folder)

    def command(self, folder):
        return [ARCA, "image", "prune"]


def scenarios(image):
    return [kind(image) for kind in (Import, ImportArchive, ImportArca, Build, Remove, Prune)]
