#!/usr/bin/env python3
"""Holds `arca sgx sign` equal to gramine-sgx-sign, and runs workloads through Gramine.

Signing: enclaves of several sizes and threads, EDMM on and off, attributes and processor features;
manifest and SIGSTRUCT must be the same bytes. Running (root): redis, python3 and a static program
under sim-sgx by Gramine's own loader, what `arca measure` said in the quote, a changed file refused.

Usage: gramine.py ARCA IMAGES, where IMAGES is the folder of the integration tests' images. Gramine
is looked for in ARCA_GRAMINE, else in /usr/lib/x86_64-linux-gnu/gramine; gramine-sgx-sign in PATH.
Exit status 77: Gramine is not installed, and nothing was compared.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

DATE = "20260102"
CASES = [
    [], ["--size", "64M", "--threads", "4"], ["--size", "2G", "--threads", "64"],
    ["--edmm"], ["--edmm", "--size", "1024G", "--threads", "8"], ["--debug"], ["--exinfo"],
    ["--product-id", "7", "--svn", "65535"],
    ["--feature", "avx=required", "--feature", "avx512=disabled", "--feature", "amx=disabled"],
    ["--feature", "avx512=required", "--feature", "amx=required", "--feature", "mpx=required",
     "--feature", "pkru=required"],
]
REDIS = """redis-server --save "" --port 0 --unixsocket /tmp/redis >/dev/null &
until redis-cli -s /tmp/redis ping 2>/dev/null; do busybox sleep 0.2; done
redis-cli -s /tmp/redis set key value; redis-cli -s /tmp/redis get key"""
WORKLOADS = [
    ("busybox", ["sh", "-c", "uname -r; echo $(id -u); exit 42"], 42, "3.10.0\n0\n"),
    ("scratch", [], 23, None),
    ("debian", ["bash", "-c", 'python3 -c "print(1 + 1, \'threes\')"; exit 6'], 6, "2 threes\n"),
    ("redis", ["bash", "-c", REDIS], 0, "PONG\nOK\nvalue\n"),
    ("busybox", ["touch", "/changed"], 1, None),
    ("busybox", ["sh", "-c", "kill -9 $$"], 137, ""),
]


def call(*command, status=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if status is not None and done.returncode != status:
        sys.exit(f"{' '.join(map(str, command))}\nstatus {done.returncode}, expected {status}: "
                 f"{done.stderr[-2000:]}")
    return done


def signing(arca, image, gramine, folder):
    key = folder / "key.pem"
    call(arca, "sgx", "key", "--output", key)
    for number, options in enumerate(CASES):
        ours, theirs = folder / f"ours-{number}", folder / f"theirs-{number}"
        theirs.mkdir()
        call(arca, "sgx", "sign", "--key", key, "--date", DATE, "--output", ours, *options, image,
             "true")
        call("gramine-sgx-sign", "--key", key, "--date", f"{DATE[:4]}-{DATE[4:6]}-{DATE[6:]}",
             "--libpal", gramine / "sgx" / "libpal.so", "--manifest", ours / "arca.manifest.sgx",
             "--output", theirs / "arca.manifest.sgx", "--sigfile", theirs / "arca.sig")
        for name in ["arca.manifest.sgx", "arca.sig"]:
            if (ours / name).read_bytes() != (theirs / name).read_bytes():
                sys.exit(f"{name} differs from gramine-sgx-sign's: {' '.join(options)}")
    print(f"{len(CASES)} enclaves equal gramine-sgx-sign's, manifest and SIGSTRUCT")


def running(arca, images, folder):
    for name, command, status, output in WORKLOADS:
        done = call(arca, "run", "--rm", "--tee", "sim-sgx", f"oci:{images}/{name}", *command,
                    status=status)
        if output is not None and done.stdout != output:
            sys.exit(f"{name} {command}: said {done.stdout!r}, expected {output!r}")
    busybox = f"oci:{images}/busybox"
    call(arca, "run", "--rm", "--tee", "sim-sgx", "--evidence", folder / "quote", busybox, "true")
    measured = call(arca, "measure", "--tee", "sim-sgx", busybox, "true").stdout
    reference = measured.split("platform measurement:")[1].split()[0]
    vendor = pathlib.Path(os.environ["ARCA_DATA"]) / "simulated-intel"
    judge = [arca, "attest", "verify", folder / "quote", "--collateral",
             vendor / "collateral" / "sgx", "--root", vendor / "root.der",
             "--dangerously-accept-simulated-evidence", "--measurement"]
    call(*judge, reference)
    if not call(*judge, "0" + reference[1:] if reference[0] != "0" else "1" + reference[1:],
                status=None).returncode:
        sys.exit("another MRENCLAVE was accepted")
    inside = call(arca, "tcb", "--tee", "sim-sgx", busybox, "true").stdout
    for name in ["gramine/direct/libpal.so", "gramine/libsysdb.so", "arca-init", "/usr/bin/busybox"]:
        if name not in inside:
            sys.exit(f"arca tcb does not name {name}")
    for file in pathlib.Path(os.environ["ARCA_DATA"]).glob(
            "images/rootfs/*/unpacked/root/usr/bin/busybox"):
        with open(file, "ab") as content:
            content.write(b"x")
    refused = call(arca, "run", "--rm", "--tee", "sim-sgx", busybox, "true", status=None)
    if not refused.returncode:
        sys.exit("a changed program was run")
    print(f"{len(WORKLOADS)} workloads ran through Gramine, and a changed file was refused")


def main():
    arca, images = (pathlib.Path(path).absolute() for path in sys.argv[1:3])
    gramine = pathlib.Path(os.environ.get("ARCA_GRAMINE", "/usr/lib/x86_64-linux-gnu/gramine"))
    if not (gramine / "libsysdb.so").exists() or not shutil.which("gramine-sgx-sign"):
        print(f"skipped: no Gramine in {gramine}, or no gramine-sgx-sign in PATH")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.environ["ARCA_GRAMINE"] = str(gramine)
        os.environ["ARCA_DATA"] = str(folder / "data")
        os.environ["ARCA_STATE"] = str(folder / "state")
        signing(arca, f"oci:{images}/busybox", gramine, folder)
        if os.geteuid():
            print("skipped: running through Gramine needs root")
            return 77
        running(arca, images, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
