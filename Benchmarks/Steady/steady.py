"""What runs in a TEE against the same in the floor, which has no verity, no overlay and nothing of Arca.

steady.py [ROUNDS]      ARCA: the program (default: out/bin/arca)

Interleaved; medians, spread and ratios as JSON. A ratio is the floor's over Arca's: 1 is as fast, less is
slower. Reads in the floor are those of the raw virtio-blk disk; volumes in the floor are made by dmsetup.

Beside the time that passes in the guest there is QEMU's processor time for each part, as the host counts it:
it says the same on a machine that nobody else uses, and far more on one that is shared.
"""

import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent), str(here.parent / "Floor")]

import engines  # noqa: E402
import floor  # noqa: E402

READ_BYTES, VOLUME_BYTES, DISK_BYTES = 64 << 20, 32 << 20, 128 << 20


def watch(read, find):
    """Reads what a guest prints until its end: by part, seconds in the guest and of QEMU's processor time."""
    pid, begun, rest, parts = None, 0, b"", {}
    while chunk := read():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            words = line.decode().split()
            if len(words) == 2 and words[0] == "begin":
                pid = pid or find()
                begun = engines.processor_seconds(pid)
            elif len(words) == 2 and pid:
                parts[words[0]] = (float(words[1]), engines.processor_seconds(pid) - begun)
            else:
                print(line.decode(), file=sys.stderr)
    return parts


class Bench:
    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.arca = os.path.realpath(os.environ.get("ARCA", engines.root / "out/bin/arca"))
        self.kbs = os.path.join(os.path.dirname(self.arca), "arca-kbs")
        self.guest = pathlib.Path(self.arca).parents[1] / "lib/arca/guest"
        layout = pathlib.Path(os.environ.get("ARCA_BENCH_IMAGES", engines.root / "out/bench")) / "steady"
        engines.call(here / "image.sh", layout, READ_BYTES)
        os.environ.update(ARCA_DATA=f"{work}/data", ARCA_STATE=f"{work}/state")
        self.image = f"oci:{layout}"
        # Converts the image, makes the simulated vendor, and finds out which accelerator there is.
        engines.call(self.arca, "run", "--rm", self.image)
        self.erofs = next((self.work / "data/images/rootfs").glob("*/rootfs.erofs"))
        self.broker = None

    def run_floor(self, *words, disk=None):
        with tempfile.TemporaryDirectory() as folder:
            archive = floor.initrd(self.guest, pathlib.Path(folder), words, ["volumes"] if disk else [])
            process, channel = floor.start(self.guest, archive, self.erofs, volume=disk)

            def read():
                try:
                    return channel.recv(65536)
                except ConnectionError:
                    return b""
            try:
                return watch(read, lambda: process.pid)
            finally:
                process.kill()
                process.wait()
                channel.close()

    def run_arca(self, *options):
        process = subprocess.Popen([self.arca, "run", "--rm", "--memory", "512m", *map(str, options)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        parts = watch(lambda: os.read(process.stdout.fileno(), 65536), lambda: engines.machine(process.pid))
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"arca run: status {process.returncode}: {errors.decode()[-1000:]}")
        return parts

    def prepare_volume(self):
        """A broker with a volume's key, and the manifest of the workload that may have it."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        folder, manifest = self.work / "broker", self.work / "manifest.yaml"
        engines.call(self.kbs, "init", "--folder", folder, "--listen", f"127.0.0.1:{port}",
                     "--simulated-vendor", self.work / "data/simulated-amd")
        (self.work / "key").write_bytes(os.urandom(32))
        engines.call(self.kbs, "resource", "set", "--folder", folder, "default/key/bench", self.work / "key")
        pin = engines.call(self.kbs, "pin", "--folder", folder).strip()
        manifest.write_text(
            engines.call(self.arca, "manifest", "derive", self.image, "volume", "/data", VOLUME_BYTES)
            + f"keyBroker:\n  url: https://127.0.0.1:{port}\n  publicKeys: [{pin.split(':')[-1]}]\n"
            "volumes:\n  - {name: bench, destination: /data, key: \"kbs:///default/key/bench\"}\n")
        measured = json.loads(engines.call(self.arca, "measure", "--json", self.image))
        rule = {"name": "bench", "resources": ["default/key/*"], "tees": ["snp"],
                "platforms": [{"measurement": measured["platformMeasurement"]}],
                "workloads": [engines.call(self.arca, "manifest", "digest", manifest).strip()],
                "dangerouslyAcceptSimulatedEvidence": True}
        engines.call(self.kbs, "policy", "install", "--folder", folder, "-",
                     input=json.dumps({"version": 1, "rules": [rule]}))
        with open(self.work / "broker.log", "wb") as log:
            self.broker = subprocess.Popen([self.kbs, "serve", "--folder", folder], stderr=log)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        engines.call(self.arca, "volume", "create", "bench", "--size", f"{DISK_BYTES >> 20}m")
        return manifest

    def round(self, manifest):
        """One run of each: what the floor and what Arca took, by part."""
        disk = self.work / "disk"
        disk.unlink(missing_ok=True)
        with open(disk, "wb") as file:
            file.truncate(DISK_BYTES)
        floors = self.run_floor("/usr/bin/steady", "/dev/vda", READ_BYTES)
        ours = self.run_arca(self.image, "/usr/data", READ_BYTES)
        floors |= self.run_floor("/usr/bin/by-hand", "/dev/vdb", VOLUME_BYTES, disk=disk)
        ours |= self.run_arca("--manifest", manifest, self.image)
        return floors, ours


def row(floors, ours):
    """Medians, spread and ratios of one part's runs, each of seconds and processor seconds."""
    found = {}
    for side, runs in (("floor", floors), ("arca", ours)):
        times, processor = zip(*runs)
        found |= {f"{side}Seconds": round(statistics.median(times), 4),
                  f"{side}Spread": [round(min(times), 4), round(max(times), 4)],
                  f"{side}ProcessorSeconds": round(statistics.median(processor), 4)}
    return found | {
        "ratio": round(found["floorSeconds"] / found["arcaSeconds"], 3),
        "processorRatio": round(found["floorProcessorSeconds"] / found["arcaProcessorSeconds"], 3)}


def main(rounds="5"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = tempfile.mkdtemp()
    bench = None
    try:
        bench = Bench(work)
        manifest = bench.prepare_volume()
        runs = []
        for _ in range(int(rounds)):
            runs.append(bench.round(manifest))
            print({name: [round(part[0] / runs[-1][1][name][0], 2), round(part[1] / runs[-1][1][name][1], 2)]
                   for name, part in runs[-1][0].items()}, file=sys.stderr)
    finally:
        if bench and bench.broker:
            bench.broker.terminate()
            bench.broker.wait()
        engines.leave(work)
    names = list(runs[0][0])
    if any(list(side) != names for run in runs for side in run):
        raise SystemExit(f"the floor and Arca did not run the same parts: {names}, {list(runs[0][1])}")
    rows = {name: row([run[0][name] for run in runs], [run[1][name] for run in runs]) for name in names}
    print(json.dumps({"rounds": int(rounds), "steady": rows}, indent=2))


main(*sys.argv[1:])
