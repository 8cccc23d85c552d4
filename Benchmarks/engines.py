"""Unchanged engines with roots of their own, for the benchmarks that start containers through them.

Everything happens in a network and a mount namespace of the benchmark's own: nothing of the machine is
changed. A runtime is named by the path of a program.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

root = pathlib.Path(__file__).resolve().parents[1]
NAME = "arca.bench/image:1"


def call(*command, **options):
    """What a command that must succeed prints."""
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if ended.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: status {ended.returncode}: {ended.stderr[-1000:]}")
    return ended.stdout


def enter():
    """Starts this program again in namespaces of its own, and readies them."""
    if os.environ.get("ARCA_BENCH_INSIDE") != str(os.getppid()):
        os.environ["ARCA_BENCH_INSIDE"] = str(os.getpid())
        ended = subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable, *sys.argv])
        raise SystemExit(ended.returncode)
    call("mount", "-t", "tmpfs", "tmpfs", "/run")
    call("ip", "link", "set", "lo", "up")
    # crun refuses a host that has both versions of cgroups mounted.
    if os.path.ismount("/sys/fs/cgroup/unified"):
        call("umount", "/sys/fs/cgroup/unified")


def leave(work):
    """Unmounts what engines left mounted below `work`, and removes it."""
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
    for mount in reversed([path for path in mounts if path.startswith(f"{work}/")]):
        subprocess.run(["umount", "-l", mount], capture_output=True)
    subprocess.run(["rm", "-rf", "--one-file-system", work])


def runtimes(work):
    """The runtimes that this machine has: name to program; arca with data and state below `work`."""
    arca = os.environ.get("ARCA", str(root / "out/bin/arca"))
    os.environ.update(ARCA_DATA=f"{work}/data", ARCA_STATE=f"{work}/state")
    # The engines start runtimes with an environment of their own.
    wrapped = {"arca": f"exec {os.path.realpath(arca)}",
               "runsc": "exec runsc --platform=ptrace --network=none --ignore-cgroups"}
    found = {"arca": "", "crun": shutil.which("crun"), "runsc": shutil.which("runsc")}
    for name, command in wrapped.items():
        program = pathlib.Path(work) / name
        program.write_text(f"#!/bin/sh\nexport ARCA_DATA={work}/data ARCA_STATE={work}/state\n"
                           f"{command} \"$@\"\n")
        program.chmod(0o755)
        if found[name] is not None:
            found[name] = str(program)
    return {name: program for name, program in found.items() if program}


def archive(layout, work):
    """The image of an OCI layout as engines load it."""
    path = f"{work}/image.tar"
    call("skopeo", "copy", "-q", f"oci:{layout}", f"docker-archive:{path}:{NAME}")
    return path


def unpack(layout, folder):
    """The files of an OCI layout's image."""
    layout = pathlib.Path(layout)
    blob = lambda digest: layout / "blobs" / digest.replace(":", "/")  # noqa: E731
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    os.makedirs(folder)
    for layer in manifest["layers"]:
        call("tar", "-C", folder, "--numeric-owner", "-xf", blob(layer["digest"]))
    return folder


def bundle(folder, files, arguments, memory, network=None):
    """A bundle that runs `arguments` in `files`, and what crun's own template has beside."""
    os.makedirs(folder)
    call("crun", "spec", cwd=folder)
    path = pathlib.Path(folder) / "config.json"
    spec = json.loads(path.read_text())
    capabilities = [f"CAP_{name}" for name in (
        "CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")]
    spec["process"].update(args=arguments, terminal=False, rlimits=[], capabilities={
        kind: capabilities for kind in ("bounding", "effective", "permitted")})
    spec["root"] = {"path": str(files), "readonly": True}
    spec["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                           "options": ["size=64m", "mode=1777"]})
    spec["linux"]["resources"]["memory"] = {"limit": memory << 20}
    if network:
        for namespace in spec["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = network
    path.write_text(json.dumps(spec))
    return folder


def processor_seconds(pid):
    """What all threads of a process have used, those that have ended too (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def machine(ancestor):
    """The QEMU that descends from a process, or is it."""
    parents, machines = {}, []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = entry.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(rest.split()[1])
        if name.startswith("qemu"):
            machines.append(int(entry.parent.name))
    for found in machines:
        pid = found
        while pid in parents and pid != ancestor:
            pid = parents[pid]
        if pid == ancestor:
            return found
    raise SystemExit(f"no QEMU below process {ancestor}")


class Podman:
    """podman, with netavark's network."""

    def __init__(self, work):
        os.makedirs(f"{work}/networks")
        pathlib.Path(f"{work}/containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            '[network]\nnetwork_backend = "netavark"\n')
        os.environ["CONTAINERS_CONF"] = f"{work}/containers.conf"
        self.podman = ["podman", "--root", f"{work}/podman", "--runroot", f"{work}/podman-run",
                       "--tmpdir", f"{work}/podman-tmp", "--network-config-dir", f"{work}/networks"]

    def load(self, path):
        call(*self.podman, "load", "-q", "-i", path)

    def command(self, runtime, arguments, *options):
        """The command that runs `arguments` in the loaded image."""
        return [*self.podman, "--runtime", runtime, "run", "--rm", *(options or ["--network", "none"]), NAME,
                *arguments]

    def stop(self):
        subprocess.run([*self.podman, "rm", "-fa", "-t", "0"], capture_output=True)


class Daemon:
    """A daemon of the benchmark's own."""

    def begin(self, command, log, *question):
        with open(log, "wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        for _ in range(150):
            if subprocess.run(question, capture_output=True).returncode == 0:
                return
            time.sleep(0.2)
        raise SystemExit(f"{command[0]} never answered; see {log}")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Containerd(Daemon):
    """containerd, through ctr."""

    def __init__(self, work):
        config, address = f"{work}/containerd.toml", f"{work}/containerd.sock"
        pathlib.Path(config).write_text(
            f'version = 2\nroot = "{work}/containerd/root"\nstate = "{work}/containerd/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{address}"\n')
        self.ctr = ["ctr", "--address", address]
        self.count = 0
        self.begin(["containerd", "--config", config], f"{work}/containerd.log", *self.ctr, "version")

    def load(self, path):
        call(*self.ctr, "image", "import", path)

    def command(self, runtime, arguments):
        self.count += 1
        return [*self.ctr, "run", "--rm", "--runc-binary", runtime, NAME, f"bench{self.count}", *arguments]


class Docker(Daemon):
    """Docker, which is told of its runtimes when it starts."""

    def __init__(self, work, programs):
        pathlib.Path(f"{work}/docker.json").write_text("{}")
        os.environ.update(DOCKER_HOST=f"unix://{work}/docker.sock", DOCKER_CONFIG=f"{work}/docker-client")
        self.names = {program: name for name, program in programs.items()}
        self.begin(
            ["dockerd", "--config-file", f"{work}/docker.json", "--data-root", f"{work}/docker",
             "--exec-root", f"{work}/docker-exec", "--pidfile", f"{work}/docker.pid", "--bridge", "none",
             "--iptables=false", "--host", os.environ["DOCKER_HOST"],
             "--default-ulimit", "nofile=4096:4096",
             *(option for name, program in programs.items()
               for option in ("--add-runtime", f"{name}={program}"))],
            f"{work}/dockerd.log", "docker", "version")

    def load(self, path):
        call("docker", "load", "-q", "-i", path)

    def command(self, runtime, arguments):
        return ["docker", "run", "--rm", "--network", "none", "--runtime", self.names[runtime], NAME,
                *arguments]
