#!/usr/bin/env python3
"""Holds `arca measure` equal to sev-snp-measure, the reference calculator on PyPI.

OVMF AmdSev x vCPUs x CPU models x kernel, initrd and command line present or not, in the modes
snp, sev-es and sev. Usage: sev_snp_measure.py ARCA FIRMWARE; the peer goes into .build/conformance.
Exit status 0: equal; 1: a difference; 77: it cannot run here, which CI treats as a failure.
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PEER = "sev-snp-measure==0.0.13"
VCPUS = [1, 2, 4, 8, 64]
APPEND = "console=ttyS0 loglevel=7"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".build" / "conformance"


def cannot_run(reason):
    print(f"sev-snp-measure conformance cannot run: {reason}", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def enter_venv(script=__file__):
    """Runs the script again with the peer's interpreter, making that first where it is absent."""
    python = VENV / "bin" / "python3"
    if pathlib.Path(sys.prefix) == VENV:
        return
    if not python.exists() or subprocess.run(
        [python, "-c", "import sevsnpmeasure"], stderr=subprocess.DEVNULL
    ).returncode:
        try:
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
            subprocess.run([VENV / "bin" / "pip", "install", "--quiet", PEER], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            cannot_run(f"{PEER} cannot be installed ({error}); python3-venv is needed")
    os.execv(python, [str(python), script, *sys.argv[1:]])


def inputs(folder):
    """A kernel and an initrd; to the calculators they are nothing but bytes."""
    kernel, initrd = folder / "kernel", folder / "initrd"
    kernel.write_bytes(bytes(i * 7 % 251 for i in range(70001)))
    initrd.write_bytes(bytes(i * 5 % 241 for i in range(40003)))
    return kernel, initrd


def variants(kernel, initrd):
    yield None, None, None
    for with_initrd, with_append in itertools.product([False, True], repeat=2):
        yield kernel, initrd if with_initrd else None, APPEND if with_append else None


def measure(arca, firmware, variant, *options):
    command = [arca, "measure", "--firmware", firmware, "--json", *options]
    for name, value in zip(["--kernel", "--initrd", "--append"], variant):
        if value is not None:
            command += [name, value]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nfailed: {done.stderr}")
    return json.loads(done.stdout)["values"]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    arca, firmware = sys.argv[1:]
    if not pathlib.Path(firmware).is_file():
        cannot_run(f"{firmware} is absent; it is OVMF.amdsev.fd of Debian's ovmf-amdsev")
    enter_venv()
    from sevsnpmeasure import guest, vcpu_types
    from sevsnpmeasure.sev_mode import SevMode

    modes = {"snp": SevMode.SEV_SNP, "sev-es": SevMode.SEV_ES, "sev": SevMode.SEV}
    compared, wrong = 0, []

    def compare(tee, variant, model, vcpus, found):
        nonlocal compared
        compared += 1
        signature = vcpu_types.CPU_SIGS[model] if model else 0
        expected = guest.calc_launch_digest(
            modes[tee], vcpus or 1, signature, firmware, *map(str_or_none, variant), 1
        ).hex()
        if found != expected:
            wrong.append(f"{tee} {variant} {model} {vcpus}: found {found}, expected {expected}")

    def str_or_none(value):
        return None if value is None else str(value)

    with tempfile.TemporaryDirectory(dir=VENV) as folder:
        for variant in variants(*inputs(pathlib.Path(folder))):
            tees = list(itertools.chain(*(["--tee", tee] for tee in modes)))
            seen = set()
            for value in measure(arca, firmware, variant, "--table", *tees):
                tee, vcpus = value["tee"], value.get("vcpus")
                for model in value.get("cpuModels", [None]):
                    seen.add((tee, model))
                    if vcpus in (None, *VCPUS):
                        compare(tee, variant, model, vcpus, value["digests"]["measurement"])
            every = {(tee, model) for tee in ("snp", "sev-es") for model in vcpu_types.CPU_SIGS}
            if seen != every | {("sev", None)}:
                wrong.append(f"the table lacks {(every | {('sev', None)}) - seen}")
            for tee, vcpus in itertools.product(("snp", "sev-es"), VCPUS):
                options = ("--tee", tee, "--cpu-model", "EPYC-Milan", "--vcpus", str(vcpus))
                (value,) = measure(arca, firmware, variant, *options)
                compare(tee, variant, "EPYC-Milan", vcpus, value["digests"]["measurement"])
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"sev-snp-measure: {compared} measurements compared, {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
