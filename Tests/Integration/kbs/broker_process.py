"""arca-kbs as a process on loopback, with TLS; ARCA_KBS names the program."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from etcd_service import free_port
from kbs_client import Client, Refused

PROGRAM = os.environ["ARCA_KBS"]
MEASUREMENT = bytes([0x5A]) * 48
WORKLOAD = bytes([0xC3]) * 32
SECRET = b"marked secret 7f3a"
POLICY = f"""
version: 1
rules:
  - name: app
    resources: [default/app/*]
    tees: [snp]
    platforms: [{{measurement: {MEASUREMENT.hex()}}}]
    workloads: [{WORKLOAD.hex()}]
    dangerouslyAcceptSimulatedEvidence: true
"""


class Broker:
    def __init__(self, folder, *options, configuration=""):
        self.folder = str(folder)
        self.port = free_port()
        self.run("init", "--listen", f"127.0.0.1:{self.port}", *options)
        with open(f"{self.folder}/arca-kbs.yaml", "a") as file:
            file.write(configuration)
        self.process = None
        self.log = open(f"{self.folder}/log", "ab")
        self.start()

    def run(self, *arguments, input=None, check=True):
        words = list(arguments)
        at = 2 if words[0] in ("resource", "policy", "token", "audit", "counter") else 1
        words[at:at] = ["--folder", self.folder]
        done = subprocess.run([PROGRAM, *words], input=input, capture_output=True, timeout=60)
        assert not check or done.returncode == 0, (words, done.stderr)
        return done

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--folder", self.folder], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, open(f"{self.folder}/log").read()
                time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)

    def accept_requests(self):
        """Gives the broker the tests' policy and secret."""
        self.run("policy", "install", "-", input=POLICY.encode())
        self.run("resource", "set", "default/app/key", "-", input=SECRET)

    def admin_headers(self):
        token = self.run("token", "admin", "--seconds", "3600").stdout.decode().strip()
        return {"Authorization": f"Bearer {token}"}

    def client(self, **options):
        return Client(self.port, f"{self.folder}/tls.pem", **options)

    def audit(self):
        lines = self.run("audit", "show").stdout.decode().splitlines()
        return [json.loads(line.split("\t", 1)[1]) for line in lines]


def logged(broker, outcome, *reasons):
    """The audit log's last entry is an attestation refused as `outcome`, for `reasons`."""
    last = broker.audit()[-1]
    assert (last["action"], last["outcome"]) == ("attest", outcome), last
    for reason in reasons:
        assert reason in last["details"]["reasons"], last


def attested(client, amd, **changes):
    values = {"measurement": MEASUREMENT, "host_data": WORKLOAD} | changes
    client.auth()
    client.attest(amd.evidence(client.report_data(), **values))
    return client


def refusal(call, status=401):
    with pytest.raises(Refused) as caught:
        call()
    assert caught.value.status == status
    return caught.value
