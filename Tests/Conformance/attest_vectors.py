#!/usr/bin/env python3
"""Runs `arca attest` on every vector, as a user would: show, and verify with the folder as bundle.

Usage: attest_vectors.py ARCA VECTORS. Exit status 0: as expected; 1: not; 77: there are no vectors,
which CI treats as a failure.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# What a verdict comes to under the policy that `verify` has without --policy.
STATUS = {"valid": 0, "undecided": 2, "chain-valid": 2}


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def kbs_report(report, certificates):
    """An SNP report as clients of the CoCo key broker protocol send it."""

    def number(offset, size):
        return int.from_bytes(report[offset : offset + size], "little")

    def octets(offset, size):
        return list(report[offset : offset + size])

    version = number(0, 4)
    turin = version >= 3 and report[0x188] == 0x1A

    def tcb(offset):
        names = ["fmc", "bootloader", "tee", "snp"] if turin else ["bootloader", "tee"]
        parts = dict(zip(names, report[offset : offset + 8]))
        rest = {"microcode": report[offset + 7]}
        if not turin:
            rest |= {"fmc": None, "snp": report[offset + 6]}
        return parts | rest

    def firmware(offset):
        return dict(zip(["build", "minor", "major"], report[offset : offset + 3]))

    fields = {
        "version": version, "guest_svn": number(4, 4), "policy": number(8, 8),
        "family_id": octets(0x10, 16), "image_id": octets(0x20, 16), "vmpl": number(0x30, 4),
        "sig_algo": number(0x34, 4), "current_tcb": tcb(0x38), "plat_info": number(0x40, 8),
        "key_info": number(0x48, 4), "report_data": octets(0x50, 64),
        "measurement": octets(0x90, 48), "host_data": octets(0xC0, 32),
        "id_key_digest": octets(0xE0, 48), "author_key_digest": octets(0x110, 48),
        "report_id": octets(0x140, 32), "report_id_ma": octets(0x160, 32),
        "reported_tcb": tcb(0x180), "chip_id": octets(0x1A0, 64), "committed_tcb": tcb(0x1E0),
        "current": firmware(0x1E8), "committed": firmware(0x1EC), "launch_tcb": tcb(0x1F0),
        "signature": {"r": octets(0x2A0, 72), "s": octets(0x2E8, 72)},
    }
    for name, offset in [("cpuid_fam_id", 0x188), ("cpuid_mod_id", 0x189), ("cpuid_step", 0x18A)]:
        fields[name] = report[offset] if version >= 3 else None
    for name, offset in [("launch_mit_vector", 0x1F8), ("current_mit_vector", 0x200)]:
        fields[name] = number(offset, 8) if version >= 5 else None
    chain = [
        {"cert_type": kind, "data": list(data)} for kind, data in certificates.items()
    ]
    return {"attestation_report": fields, "cert_chain": chain}


def other_forms(evidence):
    """The same evidence in every other form that is told apart."""
    content = evidence.read_bytes()
    encoded = base64.b64encode(content).decode()
    yield "hex", content.hex()
    yield "base64", encoded
    if evidence.name == "quote.bin":
        primary = {"quote": encoded, "cc_eventlog": None}
    else:
        kinds = {"VCEK": "vcek.der", "VLEK": "vlek.der"}
        present = {k: evidence.parent / f for k, f in kinds.items() if (evidence.parent / f).exists()}
        primary = kbs_report(content, {k: f.read_bytes() for k, f in present.items()})
    yield "kbs", json.dumps(primary)
    wrapped = {"primary_evidence": primary, "additional_evidence": ""}
    yield "attestation", json.dumps({"tee-evidence": wrapped, "runtime-data": {"nonce": ""}})


def judge_forms(arca, evidence, options, report_data):
    """Trusted evidence is trusted in every form, and never with other report data."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in other_forms(evidence):
            path = pathlib.Path(folder) / name
            path.write_text(content)
            done = run(arca, "attest", "verify", path, *options, "--report-data", report_data)
            if done.returncode:
                return f"as {name}: exit status {done.returncode} {done.stderr}"
    wrong = format(int(report_data[:2], 16) ^ 1, "02x") + report_data[2:]
    done = run(arca, "attest", "verify", evidence, *options, "--report-data", wrong)
    failed = [check["name"] for check in json.loads(done.stdout)["checks"] if not check["passed"]]
    if done.returncode != 1 or failed != ["policy.report_data"]:
        return f"other report data: exit status {done.returncode}, failed {failed}"
    return None


def judge(arca, folder, vector):
    """What is wrong with the commands' answers to one vector, or None."""
    evidence = next((folder / f for f in ("report.bin", "quote.bin") if (folder / f).exists()), None)
    if evidence is None:
        shown = run(arca, "attest", "show", folder / vector["files"][0])
        return None if shown.returncode == 0 else f"show failed: {shown.stderr}"
    options = ["--at", vector["verify_time"], "--collateral", folder, "--json"]
    if vector["trust_root"].startswith("file:"):
        options += ["--root", folder / vector["trust_root"].removeprefix("file:")]
    if vector["tee"] == "snp":
        options.append("--dangerously-accept-missing-revocation-lists")
    done = run(arca, "attest", "verify", evidence, *options)
    expected = vector["expect"]["verdict"]
    if not done.stdout:
        # Bytes that are no evidence at all were not judged, and must not pass.
        return None if expected == "malformed" and done.returncode == 2 else f"no verdict: {done}"
    verdict = json.loads(done.stdout)
    if done.returncode != STATUS.get(verdict["kind"], 1):
        return f"exit status {done.returncode} for {verdict['kind']}"
    if verdict["trusted"] != (done.returncode == 0):
        return f"trusted is {verdict['trusted']}, exit status {done.returncode}"
    if done.returncode == 1 and all(check["passed"] for check in verdict["checks"]):
        return "not trusted, and no reason"
    if vector["ambiguity"]:
        return None if (verdict["kind"] == "valid") == (expected == "valid") else verdict["kind"]
    if verdict["kind"] != expected:
        return f"found {verdict['kind']}, expected {expected}"
    shown = run(arca, "attest", "show", evidence, "--json")
    if expected != "malformed" and (shown.returncode or json.loads(shown.stdout)["verified"]):
        return f"show failed: {shown.stderr}"
    if done.returncode == 0:
        claims = vector["expect"]["claims"]
        return judge_forms(arca, evidence, options, claims["report_data"])
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    arca, vectors = sys.argv[1], pathlib.Path(sys.argv[2])
    cases = sorted(vectors.glob("[st]*/*/vector.json"))
    if not cases:
        print(f"attest conformance cannot run: no vectors in {vectors}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    wrong = 0
    for case in cases:
        fault = judge(arca, case.parent, json.loads(case.read_text()))
        if fault:
            wrong += 1
            print(f"{case.parent.relative_to(vectors)}: {fault}", file=sys.stderr)
    for log in sorted(vectors.glob("launch/eventlog/*/vector.json")):
        expected = json.loads(log.read_text())["rtmr"]
        file = next(log.parent / f for f in ("ccel.bin", "event_log.json") if (log.parent / f).exists())
        shown = run(arca, "attest", "show", file, "--json")
        fields = json.loads(shown.stdout)["fields"] if shown.returncode == 0 else {}
        if [fields.get(f"rtmr{i}") for i in range(4)] != expected:
            wrong += 1
            print(f"{log.parent.relative_to(vectors)}: replay differs {shown.stderr}", file=sys.stderr)
    print(f"attest: {len(cases)} evidence vectors, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
