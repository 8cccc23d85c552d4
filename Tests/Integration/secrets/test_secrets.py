"""Secrets from the built arca-kbs in guests of the built arca; nothing is skipped.

The host's side of every run is this machine, so a secret that is found on it anywhere is a failure.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from hostile_relay import HostileRelay

ROOT = pathlib.Path(__file__).resolve().parents[3]
ARCA = os.environ.get("ARCA", str(ROOT / "out/bin/arca"))
KBS = str(ROOT / "out/bin/arca-kbs")
# Nowhere in the sources as one text, so that what is found comes from the broker.
SECRET = "-".join(["marked", "secret", "73cbe1", "of", "the", "owner"])
IMAGES = os.environ.get("ARCA_TEST_IMAGES", os.path.expanduser("~/.cache/arca/test-images"))
IMAGE = f"oci:{IMAGES}/busybox"


def call(*arguments, **options):
    return subprocess.run(arguments, check=True, capture_output=True, text=True, **options).stdout


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="arca-secrets-")
        cls.work = pathlib.Path(cls.folder.name)
        os.environ["ARCA_DATA"] = str(cls.work / "data")
        os.environ["ARCA_STATE"] = str(cls.work / "state")
        images = pathlib.Path(IMAGE[4:])
        if not (images / "index.json").exists():
            call(str(ROOT / "Examples/debian-image.sh"), str(images),
                 '{"Entrypoint":["/bin/busybox"]}', "busybox-static")
        # The first run makes the simulated vendor.
        call(ARCA, "run", "--rm", IMAGE, "true")
        call(ARCA, "run", "--rm", "--tee", "sim-sgx", "--evidence", str(cls.work / "quote"), IMAGE,
             "true")
        cls.port = cls.start_broker("broker")
        cls.pin = call(KBS, "pin", "--folder", str(cls.work / "broker")).strip()

    @classmethod
    def tearDownClass(cls):
        for process in cls.brokers:
            process.terminate()
            process.wait()
        cls.folder.cleanup()

    brokers = []

    @classmethod
    def start_broker(cls, name):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        folder = str(cls.work / name)
        call(KBS, "init", "--folder", folder, "--listen", f"127.0.0.1:{port}",
             "--simulated-vendor", str(cls.work / "data/simulated-amd"),
             "--simulated-vendor", str(cls.work / "data/simulated-intel"))
        for path in ("default/key/db", "default/key/other", "default/file/large"):
            content = SECRET if path != "default/file/large" else SECRET + "x" * 500_000
            call(KBS, "resource", "set", "--folder", folder, path, "-", input=content)
        with open(cls.work / f"{name}.log", "wb") as log:
            cls.brokers.append(subprocess.Popen([KBS, "serve", "--folder", folder], stderr=log))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return port
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the broker does not come up")

    def options(self, secrets, port=None, pin=None):
        options = ["--key-broker", f"https://127.0.0.1:{self.port}",
                   "--key-broker-pin", pin or self.pin]
        for secret in secrets:
            options += ["--secret", secret]
        return options

    def allow(self, options, command, change=lambda rule: None):
        """Installs a policy that releases to just this workload on just this platform."""
        measured = json.loads(call(ARCA, "measure", "--json", *options, IMAGE, *command))
        rule = {"name": "test", "resources": ["default/key/*", "default/file/*"], "tees": ["snp"],
                "platforms": [{"measurement": measured["platformMeasurement"]}],
                "workloads": [measured["workloadDigest"]],
                "dangerouslyAcceptSimulatedEvidence": True}
        change(rule)
        call(KBS, "policy", "install", "--folder", str(self.work / "broker"), "-",
             input=json.dumps({"version": 1, "rules": [rule]}))

    def run_guest(self, options, command, *more):
        return subprocess.run([ARCA, "run", "--rm", *options, *more, IMAGE, *command],
                              capture_output=True, text=True, timeout=180)

    def audit(self):
        return (self.work / "broker.log").read_text()

    FILE = ["kbs:///default/key/db:/run/keys/db:mode=0440,uid=5,gid=6",
            "kbs:///default/key/db:TOKEN", "kbs:///default/key/other:OTHER"]

    def refused(self, code, text, *more, change=lambda rule: None, options=None):
        options, command = options or self.options(self.FILE), ["true"]
        self.allow(options, command, change)
        ended = self.run_guest(options, command, *more)
        self.assertEqual(ended.returncode, 125, ended.stderr)
        self.assertIn(code, ended.stderr)
        self.assertIn(text, ended.stderr)
        self.assertNotIn(SECRET, ended.stdout + ended.stderr)

    # What works.

    def test_files_and_variables(self):
        options = self.options(self.FILE)
        command = ["sh", "-c", "cat /run/keys/db; echo; echo $TOKEN; echo $OTHER; "
                   "stat -c '%a %u %g' /run/keys/db; "
                   "grep /run/keys/db /proc/mounts | cut -d' ' -f4; "
                   "echo x > /run/keys/db || echo closed; ls -a /dev | grep -c arca"]
        self.allow(options, command)
        ended = self.run_guest(options, command)
        lines = ended.stdout.splitlines()
        self.assertEqual(lines[:4], [SECRET, SECRET, SECRET, "440 5 6"], ended.stderr)
        for flag in ("ro", "nosuid", "nodev", "noexec", "noswap"):
            self.assertIn(flag, lines[4].split(","))
        self.assertEqual(lines[5:], ["closed", "0"])

    def test_an_enclave(self):
        """By the same workload digest; its memory is no file system of the host's."""
        options = self.options(self.FILE)
        command = ["sh", "-c", "cat /run/keys/db; echo; echo $TOKEN; stat -c '%a %u %g' /run/keys/db"]
        measured = [json.loads(call(ARCA, "measure", "--json", "--tee", kind, *options, IMAGE, *command))
                    for kind in ("sim-snp", "sim-sgx")]
        self.assertEqual(measured[0]["workloadDigest"], measured[1]["workloadDigest"])
        enclave, workload = measured[1]["platformMeasurement"].split(":")

        def either(rule):
            rule["tees"].append("sgx")
            rule["platforms"].append({"measurement": enclave, "workload": workload})
        self.allow(options, command, either)
        for kind in ("sim-snp", "sim-sgx"):
            ended = self.run_guest(options, command, "--tee", kind)
            self.assertEqual(ended.stdout.splitlines(), [SECRET, SECRET, "440 5 6"], ended.stderr)
        # Another workload has another MRENCLAVE, and cannot claim the digest.
        self.allow(options, command, either)
        ended = self.run_guest(options, command + ["more"], "--tee", "sim-sgx")
        self.assertEqual(ended.returncode, 125)
        self.assertIn("keyBrokerRefused", ended.stderr)
        # An MRENCLAVE that nobody tied to a workload is not enough.
        self.allow(options, command, lambda rule: rule.update(
            tees=["sgx"], platforms=[{"measurement": enclave}]))
        ended = self.run_guest(options, command, "--tee", "sim-sgx")
        self.assertIn("keyBrokerRefused", ended.stderr)
        self.assertIn("policy.workload", self.audit())
        # Where the image has files, no memory of the enclave's can be mounted.
        ended = self.run_guest(self.options(["kbs:///default/key/db:/etc/key"]), ["true"], "--tee",
                               "sim-sgx")
        self.assertEqual(ended.returncode, 125)
        self.assertIn("secret at /etc/key", ended.stderr)

    def test_a_large_secret(self):
        options = self.options(["kbs:///default/file/large:/large"])
        command = ["sh", "-c", "wc -c < /large"]
        self.allow(options, command)
        ended = self.run_guest(options, command)
        self.assertEqual(ended.stdout.strip(), str(len(SECRET) + 500_000), ended.stderr)

    def test_the_local_address(self):
        options = self.options(self.FILE[1:2])
        command = ["sh", "-c", "for u in 'aa/evidence?runtime_data=abc' 'aa/token?token_type=kbs' "
                   "cdh/resource/default/key/db cdh/resource/default/file/large cdh/nothing; do "
                   "wget -q -S -O - http://127.0.0.1:8006/$u 2>&1 | head -c 80 | tr -d '\\r\\n'; "
                   "echo; done; (sleep 30 | nc 127.0.0.1 8006 &); echo done"]
        manifest = call(ARCA, "manifest", "derive", *options, IMAGE, *command)
        manifest += "workloadMay:\n  getEvidence: true\n  getToken: true\n" \
            "  getResources: [default/key/*]\n"
        file = self.work / "manifest.yaml"
        file.write_text(manifest)
        digest = call(ARCA, "manifest", "digest", str(file)).split()[0]
        self.allow(options, command, lambda rule: rule.update(workloads=[digest]))
        ended = subprocess.run([ARCA, "run", "--rm", "--manifest", str(file), IMAGE],
                               capture_output=True, text=True, timeout=180)
        lines = ended.stdout.splitlines()
        self.assertEqual(len(lines), 6, ended.stdout + ended.stderr)
        self.assertIn("200 OK", lines[0])
        self.assertIn("200 OK", lines[1])
        self.assertIn("200 OK", lines[2])
        self.assertIn("403 Forbidden", lines[3])
        self.assertIn("404 Not Found", lines[4])

    # Nothing of a secret is on the host.

    def test_the_secret_is_nowhere_on_the_host(self):
        relay = HostileRelay(self.port)
        options = self.options(self.FILE)
        command = ["sh", "-c", "grep -q owner /run/keys/db && [ -n \"$TOKEN\" ] && echo ready; "
                   "sleep 8"]
        self.allow(options, command)
        guest = subprocess.Popen(
            [ARCA, "run", "--name", "leak", *options, "--key-broker-address",
             f"127.0.0.1:{relay.port}", IMAGE, *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(guest.stdout.readline(), b"ready\n")
        found = []
        mark = SECRET.encode()
        for process in self.tree(guest.pid):
            for kind in ("environ", "cmdline"):
                if mark in pathlib.Path(f"/proc/{process}/{kind}").read_bytes():
                    found.append(f"{kind} of {process}")
            for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
                try:
                    if not descriptor.resolve().is_file():
                        continue
                    if mark in descriptor.read_bytes():
                        found.append(f"{descriptor} of {process}")
                except OSError:
                    continue
        output, error = guest.communicate(timeout=60)
        self.assertEqual(guest.returncode, 0, error)
        for path in self.work.rglob("*"):
            if path.is_file() and mark in path.read_bytes():
                found.append(str(path))
        self.assertEqual(relay.connections, 1)
        self.assertGreater(len(relay.capture), 10_000)
        for thing, content in (("capture", bytes(relay.capture)), ("output", output + error)):
            if mark in content:
                found.append(thing)
        self.assertEqual(found, [])
        call(ARCA, "rm", "leak")
        relay.close()

    @staticmethod
    def tree(root):
        found = [str(root)]
        for process in found:
            for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
                found += task.read_text().split()
        return found

    # What is refused, and named on both sides.

    def test_a_changed_workload(self):
        self.refused("keyBrokerRefused", "resource default/key/db",
                     change=lambda rule: rule.update(workloads=["00" * 32]))
        self.assertIn("policy-denied", self.audit())

    def test_a_changed_platform(self):
        self.refused("keyBrokerRefused", "resource default/key/db",
                     change=lambda rule: rule.update(platforms=[{"measurement": "00" * 48}]))
        self.assertIn("policy-denied", self.audit())

    def test_simulated_evidence_where_no_rule_allows_it(self):
        self.refused("keyBrokerRefused", "resource default/key/db",
                     change=lambda rule: rule.pop("dangerouslyAcceptSimulatedEvidence"))

    def test_a_missing_resource(self):
        self.refused("keyBrokerRefused", "resource default/key/none",
                     options=self.options(["kbs:///default/key/none:NONE"]))
        self.assertIn("missing-resource", self.audit())

    def test_a_forged_certificate(self):
        other = self.start_broker("forger")
        self.refused("keyBrokerIdentity", "publicKeys",
                     "--key-broker-address", f"127.0.0.1:{other}")

    def test_a_broker_that_cannot_be_reached(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.refused("keyBroker", "Connection refused",
                     "--key-broker-address", f"127.0.0.1:{port}")

    def test_a_launcher_that_alters_the_handshake(self):
        self.hostile("alter", 0, "keyBrokerIdentity")

    def test_a_launcher_that_alters_answers(self):
        self.hostile("alter", 2500, "keyBrokerIdentity")

    def test_a_launcher_that_reorders_bytes(self):
        self.hostile("reorder", 2500, "keyBrokerIdentity")

    def test_a_launcher_that_replays_bytes(self):
        self.hostile("replay", 2500, "keyBrokerIdentity")

    def test_a_launcher_that_drops_bytes(self):
        self.hostile("drop", 2500, "keyBroker")

    def hostile(self, deed, after, code):
        relay = HostileRelay(self.port, deed, after)
        self.refused(code, "key broker", "--key-broker-address", f"127.0.0.1:{relay.port}")
        self.assertNotIn(SECRET.encode(), bytes(relay.capture))
        relay.close()

    def test_a_broker_that_comes_up_late(self):
        """The guest tries again until the broker is there."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = self.options(self.FILE[1:2])
        command = ["sh", "-c", "echo $TOKEN"]
        self.allow(options, command)
        relay = HostileRelay(self.port)

        def come_up():
            time.sleep(7)
            late = socket.create_server(("127.0.0.1", port))
            relay.listener.close()
            relay.listener = late
            relay.serve()

        threading.Thread(target=come_up, daemon=True).start()
        ended = self.run_guest(options, command, "--key-broker-address", f"127.0.0.1:{port}")
        self.assertEqual(ended.stdout.strip(), SECRET, ended.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
