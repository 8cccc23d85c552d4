"""Handshakes a second of arca-kbs on one core, against what the same cryptography takes in openssl.

A handshake is a new TLS 1.3 connection, auth, attest with a whole simulated chain, and one
resource. The broker is bound to one core and its processor time is read from the kernel, so that
neither the load generator nor other work on the machine counts; `openssl speed` counts processor
time too. It has one event loop, as in a container that has one core.

Measured twice: as guests come, a few at a time, when the broker mostly waits for them and wakes up
for each message; and at capacity, when CROWD guests are at one step at one time. There the evidence
is made between the steps, so that the generator keeps the broker busy.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parents[1] / "Tests/Integration/kbs"))

from broker_process import MEASUREMENT, SECRET, WORKLOAD, Broker  # noqa: E402
from kbs_client import Client  # noqa: E402
from simulated_amd import SimulatedAMD  # noqa: E402

COUNT = int(os.environ.get("HANDSHAKES", "1000"))
THREADS, CROWD = 4, 100

# The operations that one handshake cannot do without: of TLS a key, an agreement and a signature; the
# report's signature; VCEK, ASK and revocation list under their issuers' RSA keys; the token's
# signature; and for the resource a key and an agreement again. Making a key on P-256 is counted as
# one more agreement. The broker remembers the signatures of a chip's chain, so that they are verified in
# the first handshake alone; the limit is given without them too.
OPERATIONS = {
    "ecdsa p384 verify": 1, "rsa4096 verify": 3, "ecdsa p256 sign": 2, "ecdh p256": 4,
}
REMEMBERED = "rsa4096 verify"


def openssl_speed():
    """Operations a second by name, of one thread."""
    speeds = {}
    for name in ("ecdsap256", "ecdsap384", "ecdhp256", "rsa4096"):
        text = subprocess.run(["openssl", "speed", "-seconds", "2", name], check=True,
                              capture_output=True).stdout.decode()
        numbers = [float(word) for word in re.findall(r"\s(\d+\.\d+)(?=\s|$)",
                                                      text.strip().splitlines()[-1])]
        if name == "ecdhp256":
            speeds["ecdh p256"] = numbers[-1]
        else:
            label = {"ecdsap256": "ecdsa p256", "ecdsap384": "ecdsa p384"}.get(name, name)
            speeds[f"{label} sign"], speeds[f"{label} verify"] = numbers[-2:]
    return speeds


class KeptConnection(Client):
    """A client whose calls go over one connection, as a guest's do."""

    connection = None

    def call(self, method, path, body=None, headers=None, cookie=True):
        headers = dict(headers or {})
        if self.cookie:
            headers["Cookie"] = f"kbs-session-id={self.cookie}"
        if self.connection is None:
            self.connection = http.client.HTTPSConnection(
                "127.0.0.1", self.ports[0], context=self.context, timeout=30)
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        assert response.status == 200, (path, content)
        for value in response.headers.get_all("Set-Cookie") or []:
            self.cookie = value.split(";")[0].split("=", 1)[1]
        return content


def processor_seconds(pid):
    """Of all threads of another process, those that ended among them (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def handshake(client, amd):
    client.auth()
    client.attest(amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD))
    assert client.resource("default/app/key") == SECRET
    client.connection.close()


def crowd(broker, amd, pool):
    """Processor and wall seconds of CROWD handshakes, each step of all of them at one time."""
    clients = [KeptConnection(broker.port, f"{broker.folder}/tls.pem") for _ in range(CROWD)]
    spent = [0.0, 0.0]

    def step(body):
        before, start = processor_seconds(broker.process.pid), time.monotonic()
        results = list(pool.map(body, clients))
        spent[0] += processor_seconds(broker.process.pid) - before
        spent[1] += time.monotonic() - start
        return results

    step(Client.auth)
    for client in clients:
        client.prepared = client.attestation(
            amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD))

    def attest_and_fetch(client):
        client.call("POST", "/kbs/v0/attest", client.prepared)
        answer = client.call("GET", "/kbs/v0/resource/default/app/key")
        client.connection.close()
        return answer

    for client, answer in zip(clients, step(attest_and_fetch)):
        assert client.decrypt(answer) == SECRET
    return spent


def measure_at_capacity(broker, amd, count):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        rounds = [crowd(broker, amd, pool) for _ in range(count // CROWD)]
    return sum(processor for processor, _ in rounds), sum(wall for _, wall in rounds)


def measure(broker, amd, count):
    faults, turn = [], iter(range(count))
    lock = threading.Lock()
    template = broker.client()
    template.context.minimum_version = ssl.TLSVersion.TLSv1_3

    def work():
        try:
            while True:
                with lock:
                    if next(turn, None) is None:
                        return
                client = KeptConnection(broker.port, f"{broker.folder}/tls.pem")
                handshake(client, amd)
        except BaseException as fault:  # reported below
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    before, start = processor_seconds(broker.process.pid), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]
    return processor_seconds(broker.process.pid) - before, time.monotonic() - start


def main():
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        amd = SimulatedAMD()
        (top / "ark.der").write_bytes(amd.ark)
        os.environ["NIO_SINGLETON_GROUP_LOOP_COUNT"] = "1"
        broker = Broker(
            top / "broker", "--dangerously-accept-simulated-root", str(top / "ark.der"))
        try:
            # The generator has the other core, where there is one.
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[-1]})
            for task in os.listdir(f"/proc/{broker.process.pid}/task"):
                os.sched_setaffinity(int(task), {cores[0]})
            broker.accept_requests()
            measure(broker, amd, 50)
            ways = {"asGuestsCome": measure(broker, amd, COUNT),
                    "atCapacity": measure_at_capacity(broker, amd, COUNT)}
        finally:
            broker.stop()
    speeds = openssl_speed()
    times = {name: count / speeds[name] for name, count in OPERATIONS.items()}
    limit = 1 / sum(times.values())
    remembered = 1 / (sum(times.values()) - times[REMEMBERED])
    print(json.dumps({
        "handshakes": COUNT,
        **{way: {
            "processorMillisecondsPerHandshake": round(1000 * processor / COUNT, 3),
            "handshakesPerProcessorSecond": round(COUNT / processor, 1),
            "handshakesPerSecondAsMeasured": round(COUNT / wall, 1),
            "ratio": round(COUNT / processor / limit, 3),
            "ratioChainRemembered": round(COUNT / processor / remembered, 3),
        } for way, (processor, wall) in ways.items()},
        "limitPerProcessorSecond": round(limit, 1),
        "limitChainRemembered": round(remembered, 1),
        "operations": OPERATIONS,
        "opensslPerSecond": {name: speeds[name] for name in OPERATIONS},
    }, indent=2))


main()
