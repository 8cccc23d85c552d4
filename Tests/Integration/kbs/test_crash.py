"""Clients at work while brokers are killed: what was acknowledged is there, no secret is released
twice for one nonce, and the audit chain holds. ARCA_KBS_CRASH_CLIENTS and ARCA_KBS_CRASH_KILLS set
the size; the full one is 200 and 10."""

import itertools
import os
import shutil
import signal
import threading
import time

from broker_process import SECRET, Broker, attested
from etcd_service import Etcd, free_port
from kbs_client import Client, Refused

CLIENTS = int(os.environ.get("ARCA_KBS_CRASH_CLIENTS", "16"))
KILLS = int(os.environ.get("ARCA_KBS_CRASH_KILLS", "4"))
HANDSHAKES = 3
COUNTER = "default/app/volume"


class Load:
    """Guests that each carry HANDSHAKES exchanges through, and an administrator who writes."""

    def __init__(self, ports, broker, amd):
        self.ports, self.certificate, self.amd = ports, f"{broker.folder}/tls.pem", amd
        self.headers = broker.admin_headers()
        self.lock = threading.Lock()
        self.done, self.faults = 0, []
        self.released, self.advanced, self.written = [], [], []
        self.threads = [threading.Thread(target=self._guest, args=(index,))
                        for index in range(CLIENTS)]
        self.threads.append(threading.Thread(target=self._write))

    def client(self, shift=0):
        ports = list(self.ports)
        return Client(ports[shift % len(ports):] + ports[:shift % len(ports)], self.certificate)

    def _guest(self, index):
        try:
            for turn in range(HANDSHAKES):
                while not self._exchange(index + turn):
                    time.sleep(0.02)
                with self.lock:
                    self.done += 1
        except BaseException as fault:  # whatever it is, the test reports it
            with self.lock:
                self.faults.append(fault)

    def _exchange(self, shift):
        """True once a secret came; false where a broker died meanwhile. A refusal is an error,
        unless it may be the answer to a call whose first answer was lost."""
        client = self.client(shift)
        try:
            attested(client, self.amd)
        except OSError:
            return False
        got, is_lost = 0, False
        for _ in range(3):
            try:
                assert client.resource("default/app/key") == SECRET
                got += 1
            except Refused as refused:
                assert refused.variant == "PolicyDeny" and (got or is_lost), refused
            except OSError:
                is_lost = True
                time.sleep(0.05)
        with self.lock:
            self.released.append((client.cookie, got))
        try:
            current = client.counter(COUNTER)
            value = client.counter(COUNTER, current, current + 1)
            with self.lock:
                self.advanced.append(value)
        except Refused as refused:
            assert refused.status == 409, refused
        except OSError:
            pass
        return got > 0

    def _write(self):
        for count in itertools.count():
            if self.done >= CLIENTS * HANDSHAKES or self.faults:
                return
            path, content = f"default/written/n{count}", f"content {count}".encode()
            try:
                self.client(count).call(
                    "POST", f"/kbs/v0/resource/{path}", content, self.headers)
                self.written.append((path, content))
            except OSError:
                time.sleep(0.02)
            except Refused as refused:
                self.faults.append(refused)

    def run(self, brokers):
        """Kills one broker after the other while the guests are at work."""
        for thread in self.threads:
            thread.start()
        for kill in range(KILLS):
            threshold = (kill + 1) * CLIENTS * HANDSHAKES // (KILLS + 2)
            while self.done < threshold and not self.faults:
                time.sleep(0.01)
            victim = brokers[kill % len(brokers)]
            victim.stop(signal.SIGKILL)
            time.sleep(0.1)
            victim.start()
        for thread in self.threads:
            thread.join()

    def check(self, broker):
        assert not self.faults, self.faults[:3]
        assert self.done == CLIENTS * HANDSHAKES
        assert max(got for _, got in self.released) == 1
        broker.run("audit", "verify")
        log = broker.audit()
        sessions = [entry["details"]["session"] for entry in log
                    if entry["action"] == "release" and entry["outcome"] == "ok"]
        assert len(sessions) == len(set(sessions))
        assert {session for session, got in self.released if got} <= set(sessions)
        assert len(self.advanced) == len(set(self.advanced)) and self.advanced
        counters = dict(line.split("\t") for line in
                        broker.run("counter", "list").stdout.decode().splitlines())
        assert int(counters[COUNTER]) >= max(self.advanced)
        listed = broker.run("resource", "list").stdout.decode()
        names = {line.split("\t")[0] for line in listed.splitlines()}
        assert self.written and not [path for path, _ in self.written if path not in names]
        for path, content in self.written[-5:]:
            assert broker.run("resource", "get", path).stdout == content


def test_a_broker_is_killed(amd, tmp_path):
    (tmp_path / "ark.der").write_bytes(amd.ark)
    broker = Broker(
        tmp_path / "broker", "--dangerously-accept-simulated-root", str(tmp_path / "ark.der"))
    try:
        broker.accept_requests()
        load = Load([broker.port], broker, amd)
        load.run([broker])
        load.check(broker)
    finally:
        broker.stop(signal.SIGKILL)


def test_either_of_two_replicas_is_killed(amd, tmp_path):
    (tmp_path / "ark.der").write_bytes(amd.ark)
    etcd = Etcd(tmp_path / "etcd")
    brokers = []
    try:
        first = Broker(tmp_path / "one", "--dangerously-accept-simulated-root",
                       str(tmp_path / "ark.der"), *etcd.options())
        brokers.append(first)
        first.accept_requests()
        second = replica(first, tmp_path / "two")
        brokers.append(second)
        load = Load([first.port, second.port], first, amd)
        load.run(brokers)
        load.check(second)
    finally:
        for broker in brokers:
            broker.stop(signal.SIGKILL)
        etcd.stop()


def replica(broker, folder):
    """Another broker over the same store: a copy of the folder that listens elsewhere."""
    shutil.copytree(broker.folder, folder)
    other = Broker.__new__(Broker)
    other.folder, other.port = str(folder), free_port()
    path = f"{folder}/arca-kbs.yaml"
    text = open(path).read().replace(f":{broker.port}", f":{other.port}")
    open(path, "w").write(text)
    other.log = open(f"{folder}/log", "ab")
    other.start()
    return other
