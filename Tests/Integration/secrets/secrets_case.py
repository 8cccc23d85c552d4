"""What the tests of secrets share: a broker for all of them, and guests of the built arca."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
ARCA = os.environ.get("ARCA", str(ROOT / "out/bin/arca"))
KBS = os.environ.get("ARCA_KBS", str(ROOT / "out/bin/arca-kbs"))
# Nowhere in the sources as one text, so that what is found comes from the broker.
SECRET = "-".join(["marked", "secret", "73cbe1", "of", "the", "owner"])
IMAGES = os.environ.get("ARCA_TEST_IMAGES", os.path.expanduser("~/.cache/arca/test-images"))
IMAGE = f"oci:{IMAGES}/busybox"


def call(*arguments, **options):
    return subprocess.run(arguments, check=True, capture_output=True, text=True, **options).stdout


class SecretsCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="arca-secrets-")
        cls.work = pathlib.Path(cls.folder.name)
        os.environ["ARCA_DATA"] = str(cls.work / "data")
        os.environ["ARCA_STATE"] = str(cls.work / "state")
        # Without Gramine, whose processes do not see each other's secrets.
        os.environ["ARCA_GRAMINE"] = ""
        images = pathlib.Path(IMAGE[4:])
        if not (images / "index.json").exists():
            call(str(ROOT / "Examples/debian-image.sh"), str(images),
                 '{"Entrypoint":["/bin/busybox"]}', "busybox-static")
        # The first run makes a simulated vendor, and leaves its collateral.
        call(ARCA, "run", "--rm", IMAGE, "true")
        for kind in ("sim-tdx", "sim-sgx"):
            call(ARCA, "run", "--rm", "--tee", kind, "--evidence", str(cls.work / kind), IMAGE, "true")
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
    def start_broker(cls, name, trusts_simulation=True, before_start=lambda folder: None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        folder = str(cls.work / name)
        vendors = ("simulated-amd", "simulated-intel") if trusts_simulation else ()
        call(KBS, "init", "--folder", folder, "--listen", f"127.0.0.1:{port}",
             *(word for vendor in vendors
               for word in ("--simulated-vendor", str(cls.work / "data" / vendor))))
        before_start(pathlib.Path(folder))
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

    def pin_of(self, broker):
        return call(KBS, "pin", "--folder", str(self.work / broker)).strip()

    def options(self, secrets, port=None, pin=None):
        options = ["--key-broker", f"https://127.0.0.1:{port or self.port}",
                   "--key-broker-pin", pin or self.pin]
        for secret in secrets:
            options += ["--secret", secret]
        return options

    def allow(self, options, command, change=lambda rule: None, broker="broker"):
        """Installs a policy that releases to just this workload on just this platform."""
        measured = json.loads(call(ARCA, "measure", "--json", *options, IMAGE, *command))
        rule = {"name": "test", "resources": ["default/key/*", "default/file/*"], "tees": ["snp"],
                "platforms": [{"measurement": measured["platformMeasurement"]}],
                "workloads": [measured["workloadDigest"]],
                "dangerouslyAcceptSimulatedEvidence": True}
        change(rule)
        call(KBS, "policy", "install", "--folder", str(self.work / broker), "-",
             input=json.dumps({"version": 1, "rules": [rule]}))

    def run_guest(self, options, command, *more):
        return subprocess.run([ARCA, "run", "--rm", *options, *more, IMAGE, *command],
                              capture_output=True, text=True, timeout=180)

    def audit(self, broker="broker"):
        """The audit log: action, outcome and reasons of each entry."""
        lines = call(KBS, "audit", "show", "--folder", str(self.work / broker)).splitlines()
        entries = [json.loads(line.split("\t", 1)[1]) for line in lines]
        return [(entry["action"], entry["outcome"], entry["details"].get("reasons", ""))
                for entry in entries]

    FILE = ["kbs:///default/key/db:/run/keys/db:mode=0440,uid=5,gid=6",
            "kbs:///default/key/db:TOKEN", "kbs:///default/key/other:OTHER"]

    def refused(self, code, text, *more, change=lambda rule: None, options=None, broker="broker",
                logged=None, releases=False):
        """A guest that ends with `code` and says `text`. The broker's audit log gains no release,
        unless `releases`, and where `logged` is (action, outcome, reason), that refusal alone."""
        options, command = options or self.options(self.FILE), ["true"]
        self.allow(options, command, change, broker)
        before = len(self.audit(broker))
        ended = self.run_guest(options, command, *more)
        self.assertEqual(ended.returncode, 125, ended.stderr)
        self.assertIn(code, ended.stderr)
        self.assertIn(text, ended.stderr)
        self.assertNotIn(SECRET, ended.stdout + ended.stderr)
        gained = self.audit(broker)[before:]
        self.assertEqual(("release", "ok") in [entry[:2] for entry in gained], releases)
        if logged is not None:
            refusals = [entry for entry in gained if entry[1] != "ok"]
            self.assertEqual([entry[:2] for entry in refusals], [logged[:2]])
            self.assertIn(logged[2], refusals[0][2])
        return gained
