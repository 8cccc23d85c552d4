#!/usr/bin/env python3
"""Times dcap-qvl (PyPI) and verification-benchmark on the same quotes, in turn, on one thread.

Usage: dcap_qvl_peer.py BENCHMARK VECTORS [ROUNDS]
"""

import calendar
import json
import os
import statistics
import subprocess
import sys
import time

import dcap_qvl

FOLDERS = [
    "sgx/sgx-v3-606ccfe1-swhardeningneeded",
    "tdx/tdx-v4-00b2526a-uptodate",
    "tdx/tdx-v5-cf77a6e9-uptodate",
]


def document(folder, name, member):
    """The signed bytes and the signature of a collateral document."""
    text = open(f"{folder}/{name}").read().strip()
    signature = json.loads(text)["signature"]
    start = text.index(f'"{member}":') + len(member) + 3
    end = text.rindex(',"signature"')
    return text[start:end], bytes.fromhex(signature)


def peer(folder, rounds):
    """Median microseconds of dcap-qvl on one vector."""
    read = lambda name: open(f"{folder}/{name}", "rb").read()
    info, info_signature = document(folder, "tcb_info.json", "tcbInfo")
    identity, identity_signature = document(folder, "qe_identity.json", "enclaveIdentity")
    collateral = dcap_qvl.QuoteCollateralV3(
        pck_crl_issuer_chain=read("pck_crl_chain.pem").decode(),
        root_ca_crl=read("root_ca.crl.der"),
        pck_crl=read("pck.crl.der"),
        tcb_info_issuer_chain=read("tcb_signing_chain.pem").decode(),
        tcb_info=info,
        tcb_info_signature=info_signature,
        qe_identity_issuer_chain=read("qe_identity_chain.pem").decode(),
        qe_identity=identity,
        qe_identity_signature=identity_signature,
    )
    quote = read("quote.bin")
    moment = json.loads(read("vector.json"))["verify_time"]
    now = calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
    times = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        dcap_qvl.verify(quote, collateral, now)
        times.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(times)


def own(benchmark, vectors, rounds):
    """Median microseconds of verification-benchmark by vector name."""
    output = subprocess.run(
        [benchmark, vectors, str(rounds)], check=True, capture_output=True, text=True
    ).stdout
    return {
        line.split(":")[0]: float(line.split("median ")[1].split()[0])
        for line in output.splitlines()
    }


def main():
    benchmark, vectors = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    # One processor for both, which subprocesses inherit.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    turns = []
    for _ in range(3):
        peers = {os.path.basename(f): peer(f"{vectors}/{f}", rounds) for f in FOLDERS}
        turns.append((own(benchmark, vectors, rounds), peers))
    print("| quote | Arca µs | dcap-qvl µs | ratio | P-256 alone µs |")
    print("|---|---|---|---|---|")
    floor = statistics.median(mine["P-256 nine times"] for mine, _ in turns)
    for folder in FOLDERS:
        name = os.path.basename(folder)
        mine = statistics.median(mine[name] for mine, _ in turns)
        other = statistics.median(peers[name] for _, peers in turns)
        print(f"| {name} | {mine:.0f} | {other:.0f} | {mine / other:.2f} | {floor:.0f} |")


main()
