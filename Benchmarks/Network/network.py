"""From the host to a workload through each network mode, against a floor guest on a tap of its own.

network.py LAYOUT [ROUNDS]      LAYOUT: where the image is, or is to be made

    floor         the same QEMU, kernel and CPU model, a static init, a tap with an address of the host's
    overlay       that floor, with the overlay for writes that every container has and the floor has not
    namespace     Arca in a network namespace of its own, which a pair of veth links to the host
    pod           two containers of Arca in one such namespace; the second one only listens
    published     Arca through a port that podman and netavark publish
    crun          crun in such a namespace
    crun published

All run at once and are measured in turn. Prints JSON, medians: megabits a second into and out of the
workload over one connection, the median round trip of 64 bytes, requests a second that wrk gets from nginx
for a page of 3 KiB over eight connections, and for guests the microseconds of QEMU's processor time for one
request, which do not depend on what else the machine does. ARCA names the program.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent), str(here.parent / "Floor"), str(here.parent / "Start")]

import engines  # noqa: E402
import floor  # noqa: E402
import race  # noqa: E402

PORT, SECONDS, MEMORY = 5999, 2, 512
WORDS = ["/usr/bin/network", "serve", str(PORT), "/usr/sbin/nginx", "-e", "stderr", "-c",
         "/usr/share/page/nginx.conf"]
MODES = ["floor", "overlay", "namespace", "pod", "published", "crun", "crun published"]


class Bench:
    """What runs, and where each mode's servers are: address, our program's port, nginx's port."""

    def __init__(self, layout, work):
        self.work, self.layout, self.servers, self.ids = work, layout, {}, []
        # Each guest's QEMU.
        self.machines, self.channels = {}, []
        self.programs = engines.runtimes(work)
        self.log = open(f"{work}/log", "ab")
        self.podman = engines.Podman(work)

    def start(self):
        arca = pathlib.Path(os.environ.get("ARCA", engines.root / "out/bin/arca")).resolve()
        engines.call(arca, "measure", f"oci:{self.layout}")
        self.files = engines.unpack(self.layout, f"{self.work}/files")
        self.start_in_namespace("crun", 2, "crun")
        self.start_in_namespace("namespace", 3, "arca")
        self.start_in_namespace("pod", 4, "arca")
        self.start_in_namespace("second", 4, "arca", ["/usr/bin/network", "serve", str(PORT + 1)])
        for number, mode in ((1, "floor"), (5, "overlay")):
            self.start_floor(arca.parents[1] / "lib/arca/guest", mode, number)
        self.podman.load(engines.archive(self.layout, self.work))
        self.start_published("published", 8100, "arca")
        self.start_published("crun published", 8200, "crun")
        for name, (address, port, page) in self.servers.items():
            self.wait_for(name, address, port, b"ehello")
            self.wait_for(name, address, page, b"GET / HTTP/1.0\r\n\r\n")

    def start_in_namespace(self, name, number, runtime, words=WORDS):
        """A container behind a pair of veth; two of the same number share the namespace."""
        space, host, inside = f"bench{number}", f"10.77.{number}.1", f"10.77.{number}.2"
        if not os.path.exists(f"/run/netns/{space}"):
            engines.call("ip", "netns", "add", space)
            engines.call("ip", "link", "add", f"host{number}", "type", "veth", "peer", "name", "eth0",
                         "netns", space)
            engines.call("ip", "addr", "add", f"{host}/24", "dev", f"host{number}")
            engines.call("ip", "link", "set", f"host{number}", "up")
            engines.call("ip", "-n", space, "addr", "add", f"{inside}/24", "dev", "eth0")
            engines.call("ip", "-n", space, "link", "set", "eth0", "up")
        bundle = engines.bundle(f"{self.work}/{name}", self.files, words, MEMORY, f"/run/netns/{space}")
        command = [self.programs[runtime], "--root", f"{self.work}/{runtime}-state"]
        for step in (["create", "--bundle", bundle, name], ["start", name]):
            subprocess.run([*command, *step], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                           check=True)
            self.ids += [(command, name)] if step[0] == "create" else []
        if name in MODES:
            self.servers[name] = (inside, PORT, 80)
        if runtime == "arca":
            state = json.loads(engines.call(*command, "state", name))
            self.machines[name] = engines.machine(state["pid"])

    def start_floor(self, guest, mode, number):
        image = next(pathlib.Path(self.work, "data/images/rootfs").glob("*/rootfs.erofs"))
        folder, tap = pathlib.Path(self.work, f"floor{number}"), f"floor{number}"
        folder.mkdir()
        engines.call("ip", "tuntap", "add", tap, "mode", "tap", "vnet_hdr")
        engines.call("ip", "addr", "add", f"10.77.{number}.1/24", "dev", tap)
        engines.call("ip", "link", "set", tap, "up")
        archive = floor.initrd(guest, folder, WORDS, ["network", mode], f"10.77.{number}.2")
        process, channel = floor.start(guest, archive, image, MEMORY, tap=tap)
        self.machines[mode] = process.pid
        self.servers[mode] = (f"10.77.{number}.2", PORT, 80)
        self.channels.append(channel)

    def start_published(self, name, port, runtime):
        options = ["-d", "-m", f"{MEMORY}m", "--tmpfs", "/tmp", "-p", f"127.0.0.1:{port}:{PORT}",
                   "-p", f"127.0.0.1:{port + 1}:80"]
        container = engines.call(*self.podman.command(self.programs[runtime], WORDS[1:], *options)).strip()
        if runtime == "arca":
            pid = engines.call(*self.podman.podman, "inspect", "--format", "{{.State.Pid}}", container)
            self.machines[name] = engines.machine(int(pid))
        self.servers[name] = ("127.0.0.1", port, port + 1)

    def wait_for(self, name, address, port, request):
        """Until something answers: behind a published port, that the connection opens says nothing."""
        for _ in range(240):
            try:
                with socket.create_connection((address, port), timeout=2) as connection:
                    connection.sendall(request)
                    if connection.recv(5):
                        return
            except OSError:
                pass
            time.sleep(0.5)
        raise SystemExit(f"{name}: nothing answers at {address} port {port}:\n"
                         + pathlib.Path(f"{self.work}/log").read_text(errors="replace")[-2000:])

    def stop(self):
        self.podman.stop()
        for command, name in self.ids:
            subprocess.run([*command, "delete", "--force", name], capture_output=True)
        engines.leave(self.work)


def measure(work, address, port, page, machine):
    ours = f"{work}/files/usr/bin/network"
    found = {what: float(engines.call(ours, what, address, port, SECONDS)) for what in ("in", "out", "echo")}
    before = machine and engines.processor_seconds(machine)
    text = engines.call("wrk", "-t1", "-c8", f"-d{2 * SECONDS}s", f"http://{address}:{page}/")
    if "Non-2xx" in text:
        raise SystemExit(f"nginx at {address}:\n{text}")
    if machine:
        spent = engines.processor_seconds(machine) - before
        found["requestProcessor"] = 1e6 * spent / int(re.search(r"(\d+) requests in", text)[1])
    found["requests"] = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    return found


def main(layout, rounds="5"):
    engines.call(here / "image.sh", layout)
    bench = Bench(layout, tempfile.mkdtemp())
    try:
        bench.start()
        runs = {mode: [] for mode in MODES}
        for _ in range(int(rounds)):
            for mode in MODES:
                runs[mode].append(measure(
                    bench.work, *bench.servers[mode], bench.machines.get(mode)))
                print(mode, runs[mode][-1], file=sys.stderr)
    finally:
        bench.stop()
    rows = {mode: {what: {"median": round(race.median([run[what] for run in all]), 1),
                          "spread": [min(run[what] for run in all), max(run[what] for run in all)]}
                   for what in all[0]} for mode, all in runs.items()}
    for row in rows.values():
        for what, value in row.items():
            value["ratio"] = round(value["median"] / rows["floor"][what]["median"], 3)
    print(json.dumps({"rounds": int(rounds), "modes": rows}, indent=2))


if __name__ == "__main__":
    engines.enter()
    main(*sys.argv[1:])
