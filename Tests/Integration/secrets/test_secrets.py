"""Secrets from the built arca-kbs in guests of the built arca; nothing is skipped.

The host's side of every run is this machine, so a secret that is found on it anywhere is a failure.
"""

import datetime
import json
import os
import socket
import subprocess
import sys
import threading
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from host_search import search
from hostile_broker import HostileBroker, StolenCertificate, another_key, with_debug_policy
from hostile_relay import HostileRelay
from secrets_case import ARCA, IMAGE, SECRET, SecretsCase, call


class Secrets(SecretsCase):
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
        """By the same rule on the same workload digest as the others; its memory is no file system
        of the host's."""
        options = self.options(self.FILE)
        command = ["sh", "-c", "cat /run/keys/db; echo; echo $TOKEN; stat -c '%a %u %g' /run/keys/db"]
        kinds = ("sim-snp", "sim-tdx", "sim-sgx")
        measured = [json.loads(call(ARCA, "measure", "--json", "--tee", kind, *options, IMAGE, *command))
                    for kind in kinds]
        self.assertEqual(len({identity["workloadDigest"] for identity in measured}), 1)
        domain, *registers = measured[1]["platformMeasurement"].split(",")
        enclave, workload = measured[2]["platformMeasurement"].split(":")

        def either(rule):
            rule["tees"] += ["tdx", "sgx"]
            rule["platforms"] += [{"measurement": domain, "rtmrs": registers},
                                  {"measurement": enclave, "workload": workload}]
        self.allow(options, command, either)
        for kind in kinds:
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
        self.assertEqual(self.audit()[-1][:2], ("release", "policy-denied"))
        self.assertIn("policy.workload", self.audit()[-1][2])
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
        # From the start to the end, since what is in a pipe or a socket is there for a moment.
        mark, found, seen = SECRET.encode(), [], {}

        def look():
            while guest.poll() is None:
                places, read = search(guest.pid, mark)
                found.extend(places)
                for kind, count in read.items():
                    seen[kind] = seen.get(kind, 0) + count
                time.sleep(0.1)

        looking = threading.Thread(target=look)
        looking.start()
        self.assertEqual(guest.stdout.readline(), b"ready\n")
        output, error = guest.communicate(timeout=60)
        looking.join()
        for kind in ("environ", "cmdline", "file", "pipe", "socket"):
            self.assertGreater(seen.get(kind, 0), 10, f"{kind}: nothing was read")
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

    def test_the_search_finds_what_is_there(self):
        """Every kind of place that is searched, each with a text that is there and stays there."""
        mark = "-".join(["another", "mark", "91d2"])
        holder = subprocess.Popen(
            [sys.executable, "-c", "import os, socket, sys, tempfile, time\n"
             "mark = os.environ['MARK'].encode()\n"
             "inner, outer = os.pipe(); os.write(outer, b'pipe ' + mark)\n"
             "one, two = socket.socketpair(); one.send(b'local ' + mark)\n"
             "server = socket.create_server(('127.0.0.1', 0))\n"
             "client = socket.create_connection(server.getsockname())\n"
             "served = server.accept()[0]; client.send(b'network ' + mark)\n"
             "gone = tempfile.TemporaryFile(); gone.write(mark); gone.flush()\n"
             "print(inner, two.fileno(), served.fileno(), gone.fileno(), flush=True)\n"
             "sys.stdin.read()\n"
             "assert os.read(inner, 99) == b'pipe ' + mark and two.recv(99) == b'local ' + mark\n"
             "assert served.recv(99) == b'network ' + mark\n", mark],
            env=os.environ | {"MARK": mark}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pipe, local, network, _ = holder.stdout.readline().split()
        found, _ = search(holder.pid, mark.encode())
        # What was looked at is still there.
        holder.communicate(b"", timeout=20)
        self.assertEqual(holder.returncode, 0)
        places = {place.rsplit(" of ", 1)[0] for place in found}
        for place in ("environ", "cmdline", f"pipe {pipe.decode()}", f"socket {local.decode()}",
                      f"socket {network.decode()}"):
            self.assertIn(place, places)
        self.assertTrue([place for place in places if place.endswith("(deleted)")], places)

    # What is refused, and named on both sides.

    def test_a_changed_workload(self):
        self.refused("keyBrokerRefused", "resource default/key/db",
                     change=lambda rule: rule.update(workloads=["00" * 32]),
                     logged=("release", "policy-denied", "policy.workload"))

    def test_a_changed_platform(self):
        self.refused("keyBrokerRefused", "resource default/key/db",
                     change=lambda rule: rule.update(platforms=[{"measurement": "00" * 48}]),
                     logged=("release", "policy-denied", "policy.platform"))

    def test_simulated_evidence_where_no_rule_allows_it(self):
        self.refused("keyBrokerRefused", "resource default/key/db",
                     change=lambda rule: rule.pop("dangerouslyAcceptSimulatedEvidence"),
                     logged=("release", "policy-denied", "policy.simulated"))

    def test_simulated_evidence_where_no_vendor_is_trusted(self):
        """A broker for hardware: the evidence is refused before any rule is asked."""
        port = self.start_broker("strict", trusts_simulation=False)
        self.refused("keyBrokerRefused", "attest: status 401",
                     options=self.options(self.FILE, port, self.pin_of("strict")), broker="strict",
                     logged=("attest", "simulated-refused", "ark.trusted"))

    def test_a_missing_resource(self):
        self.refused("keyBrokerRefused", "resource default/key/none",
                     options=self.options(["kbs:///default/key/none:NONE"]),
                     logged=("release", "missing-resource", "no such resource"))

    def test_expired_collateral(self):
        """The broker's copy of the vendor's revocation list was to be followed by a newer one."""
        def expire(folder):
            for file in (folder / "collateral").rglob("crl.der"):
                file.write_bytes(self.expired_list(file.read_bytes()))
        port = self.start_broker("stale", before_start=expire)
        self.refused("keyBrokerRefused", "crl.validity",
                     options=self.options(self.FILE, port, self.pin_of("stale")), broker="stale",
                     logged=("attest", "evidence-refused", "crl.validity"))

    def expired_list(self, der):
        """The list, issued anew by the simulated vendor for a time that is over."""
        old = x509.load_der_x509_crl(der)
        key = serialization.load_der_private_key(self.vendor_file("ark.key"), None)
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
        return (x509.CertificateRevocationListBuilder().issuer_name(old.issuer)
                .last_update(now - datetime.timedelta(days=30))
                .next_update(now - datetime.timedelta(days=1))
                .sign(key, hashes.SHA384(), rsa_padding=pss)
                .public_bytes(serialization.Encoding.DER))

    def vendor_file(self, name):
        return (self.work / "data/simulated-amd" / name).read_bytes()

    # Whoever has the broker's certificate and key stands between it and the guest.

    def between(self, code, text, logged=None, **changes):
        hostile = HostileBroker(str(self.work / "broker"), self.port, **changes)
        try:
            return self.refused(code, text, "--key-broker-address", f"127.0.0.1:{hostile.port}",
                                logged=logged), hostile
        finally:
            hostile.close()

    @staticmethod
    def changing(name, change):
        """A hook that has `change` change the JSON of the call `name`."""
        def hook(called, body):
            if called != name:
                return body
            message = json.loads(body)
            change(message)
            return json.dumps(message).encode()
        return hook

    def test_a_stale_nonce(self):
        """The guest is shown a challenge of an earlier session, and answers that."""
        old = []

        def replay(challenge):
            challenge["nonce"] = old[0]

        hook = self.changing("auth", replay)

        def request(name, body):
            if name == "auth":
                old.append(hostile.new_challenge()["nonce"])
            return body

        hostile = HostileBroker(str(self.work / "broker"), self.port, request, hook)
        self.refused("keyBrokerRefused", "stale-nonce", "--key-broker-address",
                     f"127.0.0.1:{hostile.port}",
                     logged=("attest", "stale-nonce", "not this session's"))
        self.assertEqual(len(old), 1)
        hostile.close()

    def test_evidence_and_answers_of_an_earlier_run(self):
        """What one run of the same guest sent and got is shown again to the next."""
        options, command = self.options(self.FILE), ["true"]
        self.allow(options, command)
        recorder = HostileBroker(str(self.work / "broker"), self.port)
        ended = self.run_guest(options, command, "--key-broker-address",
                               f"127.0.0.1:{recorder.port}")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        recorder.close()
        earlier = json.loads(recorder.requests["attest"])

        with self.subTest("evidence"):
            self.between("keyBrokerRefused", "report_data",
                         ("attest", "evidence-refused", "report_data"),
                         request=self.changing(
                             "attest", lambda message: message.update(
                                 {"tee-evidence": earlier["tee-evidence"]})))
        with self.subTest("the whole message"):
            self.between("keyBrokerRefused", "stale-nonce",
                         ("attest", "stale-nonce", "not this session's"),
                         request=self.changing("attest", lambda message: message.update(earlier)))
        with self.subTest("the broker's answer"):
            self.does_not_decrypt(lambda name, body: recorder.answers.get(name, body)
                                  if name.startswith("resource/") else body)

    def does_not_decrypt(self, answer):
        options, command = self.options(self.FILE), ["true"]
        self.allow(options, command)
        hostile = HostileBroker(str(self.work / "broker"), self.port, answer=answer)
        before = len(self.audit())
        ended = self.run_guest(options, command, "--key-broker-address",
                               f"127.0.0.1:{hostile.port}")
        hostile.close()
        self.assertEqual(ended.returncode, 125, ended.stderr)
        self.assertIn("secret: ", ended.stderr)
        self.assertIn("resource default/key/db: does not decrypt with the key of this TEE",
                      ended.stderr)
        self.assertNotIn(SECRET, ended.stdout + ended.stderr)
        # The broker released it to the guest's own key, which its log has; nobody else can read it.
        self.assertEqual([entry[:2] for entry in self.audit()[before:]],
                         [("attest", "ok"), ("release", "ok")])

    def test_an_answer_for_another_key(self):
        """The encrypted content key is exchanged, as in an answer that was made for another TEE."""
        def exchange(answer):
            start, end = answer["encrypted_key"][:-2], answer["encrypted_key"][-2:]
            answer["encrypted_key"] = start + ("AA" if end != "AA" else "BA")
        self.does_not_decrypt(lambda name, body: self.changing(name, exchange)(name, body)
                              if name.startswith("resource/") else body)

    def test_a_foreign_key(self):
        """The attacker's own key in the place of the guest's, beside the guest's evidence."""
        self.between("keyBrokerRefused", "report_data",
                     ("attest", "evidence-refused", "report_data"),
                     request=self.changing("attest", lambda message: message["runtime-data"].update(
                         {"tee-pubkey": another_key()})))

    def test_a_debug_policy(self):
        """The same guest on a host that started it to be debugged: the chip says so."""
        key = ec.derive_private_key(int.from_bytes(self.vendor_file("vcek.key"), "big"),
                                    ec.SECP384R1())

        def debug(message):
            evidence = message["tee-evidence"]["primary_evidence"]
            evidence["attestation_report"] = with_debug_policy(evidence["attestation_report"], key)

        gained, _ = self.between(
            "keyBrokerRefused", "debug", ("attest", "evidence-refused", "debug"),
            request=self.changing("attest", debug))
        self.assertNotIn("signature", gained[-1][2])

    def test_a_stolen_certificate(self):
        """The right certificate, shown by someone who cannot sign with its key."""
        thief = StolenCertificate(str(self.work / "broker"), self.work)
        gained = self.refused("keyBrokerIdentity", "TLS handshake failed", "--key-broker-address",
                              f"127.0.0.1:{thief.port}")
        thief.close()
        self.assertEqual(gained, [])
        self.assertEqual(len(thief.faults), 1)
        self.assertRegex(thief.faults[0].upper(), "DECRYPT.ERROR|ALERT|EOF|RESET")

    def test_a_forged_certificate(self):
        other = self.start_broker("forger")
        gained = self.refused("keyBrokerIdentity", "publicKeys",
                              "--key-broker-address", f"127.0.0.1:{other}")
        self.assertEqual(gained, [])
        self.assertEqual([entry for entry in self.audit("forger") if entry[0] == "attest"], [])

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

    def test_a_launcher_that_alters_the_guests_bytes(self):
        """Behind the handshake; the broker ends the connection, and the guest tries until its end."""
        self.hostile("alter", 300, "keyBroker", victim="guest")

    def test_a_launcher_that_replays_the_guests_bytes(self):
        self.hostile("replay", 300, "keyBroker", victim="guest")

    def hostile(self, deed, after, code, victim="broker"):
        """What is done to the broker's bytes the guest names; what is done to the guest's, the
        broker, in its log. An answer that does not arrive was released to the guest's key."""
        relay = HostileRelay(self.port, deed, after, victim)
        log = self.work / "broker.log"
        before = len(log.read_text())
        gained = self.refused(
            code, "key broker", "--key-broker-address", f"127.0.0.1:{relay.port}",
            releases=victim == "broker" and after > 0)
        self.assertEqual([entry for entry in gained if entry[1] != "ok"], [])
        self.assertNotIn(SECRET.encode(), bytes(relay.capture))
        if victim == "guest":
            self.assertEqual(gained, [])
            self.assertRegex(log.read_text()[before:], "connection failed.*BAD_DECRYPT|BAD_RECORD")
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
