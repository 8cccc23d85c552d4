#!/usr/bin/env python3
"""Holds `arca measure IMAGE` equal to sev-snp-measure for the very files that would be launched.

Firmware, kernel, initrd and command line of the installed guest, for snp, sev-es and sev, several
CPU models and vCPU counts; and `arca idblock` equal to snp-create-id-block where signatures, which
are random, do not differ. Usage: release_files.py ARCA FIRMWARE. Exit status as sev_snp_measure.py.
"""

import base64
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import sev_snp_measure

MODELS = ["EPYC-Rome", "EPYC-Milan", "EPYC-Genoa"]
VCPUS = [1, 2, 8]
# Where ID_AUTH holds its two signatures (AMD 56860, table 76).
SIGNATURES = [(0x40, 0x240), (0x680, 0x880)]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nfailed: {done.stderr}")
    return done.stdout


def image(folder):
    """An OCI image with nothing in it, since the platform does not depend on it."""
    import hashlib

    blobs = folder / "image" / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(value):
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    layer = blob(bytes(10240))
    kind = "application/vnd.oci.image."
    config = blob({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/nothing"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    })
    manifest = blob({
        "schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
        "config": {"mediaType": kind + "config.v1+json", **config},
        "layers": [{"mediaType": kind + "layer.v1.tar", **layer}],
    })
    (folder / "image" / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "image" / "index.json").write_text(json.dumps({
        "schemaVersion": 2, "manifests": [{"mediaType": kind + "manifest.v1+json", **manifest}],
    }))
    return f"oci:{folder / 'image'}"


def compare_launches(arca, firmware, reference):
    from sevsnpmeasure import guest, vcpu_types
    from sevsnpmeasure.sev_mode import SevMode

    modes = {"snp": SevMode.SEV_SNP, "sev-es": SevMode.SEV_ES, "sev": SevMode.SEV}
    files = pathlib.Path(arca).resolve().parent.parent / "lib" / "arca" / "guest"
    line = (files / "cmdline").read_text().rstrip("\n")
    environment = {**os.environ, "ARCA_SEV_FIRMWARE": firmware}
    wrong = []
    for tee, model, vcpus in itertools.product(modes, MODELS, VCPUS):
        found = json.loads(run(
            arca, "measure", "--json", "--tee", tee, "--cpus", vcpus, "--cpu-model", model,
            reference, env=environment))
        append = f"{line} arca.tee={tee}"
        if tee != "snp":
            append += f" arca.workload={found['workloadDigest']}"
        expected = guest.calc_launch_digest(
            modes[tee], vcpus, vcpu_types.CPU_SIGS[model], firmware, str(files / "vmlinuz"),
            str(files / "initrd"), append, 1).hex()
        if found["platformMeasurement"] != expected:
            wrong.append(f"{tee} {model} {vcpus}: {found['platformMeasurement']}, not {expected}")
    return len(modes) * len(MODELS) * len(VCPUS), wrong


def compare_id_blocks(arca, folder):
    digest = bytes(range(48))
    run(arca, "idblock", "--measurement", digest.hex(), "--output", folder / "owner")
    peer = run(
        pathlib.Path(sys.prefix) / "bin" / "snp-create-id-block", "--measurement",
        base64.b64encode(digest).decode(), "--idkey", folder / "owner" / "id-key.pem",
        "--authorkey", folder / "owner" / "author-key.pem")
    values = dict(part.split("=", 1) for part in peer.split("\n")[0].split(","))
    wrong = []
    for name in ("id-block", "id-auth"):
        found = bytearray((folder / "owner" / f"{name}.bin").read_bytes())
        expected = bytearray(base64.b64decode(values[name]))
        for start, end in SIGNATURES if name == "id-auth" else []:
            for content in (found, expected):
                if not any(content[start:start + 48]):
                    wrong.append(f"{name}: no signature at {start:#x}")
                content[start:end] = bytes(end - start)
        if found != expected:
            wrong.append(f"{name} is not what snp-create-id-block makes")
    return 2, wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    arca, firmware = map(os.path.abspath, sys.argv[1:])
    if not pathlib.Path(firmware).is_file():
        sev_snp_measure.cannot_run(f"{firmware} is absent; it is OVMF.amdsev.fd of ovmf-amdsev")
    sev_snp_measure.enter_venv(__file__)
    with tempfile.TemporaryDirectory(dir=sev_snp_measure.VENV) as name:
        folder = pathlib.Path(name)
        os.environ["ARCA_DATA"] = str(folder / "data")
        launches, wrong = compare_launches(arca, firmware, image(folder))
        blocks, others = compare_id_blocks(arca, folder)
    for difference in wrong + others:
        print(difference, file=sys.stderr)
    print(f"release files: {launches} launches and {blocks} ID structures compared, "
          f"{len(wrong + others)} differ")
    sys.exit(1 if wrong or others else 0)


if __name__ == "__main__":
    main()
