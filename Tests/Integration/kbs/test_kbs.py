"""Starts arca-kbs on loopback with TLS and carries the exchange through, in every way that must be
refused too. Run by pytest; ARCA_KBS names the program."""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from jwcrypto import jwk, jwt

from kbs_client import Client, Refused
from simulated_amd import SimulatedAMD

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


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
        at = 2 if words[0] in ("resource", "policy", "token", "audit") else 1
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

    def client(self, **options):
        return Client(self.port, f"{self.folder}/tls.pem", **options)

    def audit(self):
        lines = self.run("audit", "show").stdout.decode().splitlines()
        return [json.loads(line.split("\t", 1)[1]) for line in lines]


@pytest.fixture(scope="module")
def amd():
    return SimulatedAMD()


@pytest.fixture(scope="module")
def broker(amd, tmp_path_factory):
    top = tmp_path_factory.mktemp("kbs")
    (top / "ark.der").write_bytes(amd.ark)
    made = Broker(top / "broker", "--dangerously-accept-simulated-root", str(top / "ark.der"))
    made.run("policy", "install", "-", input=POLICY.encode())
    made.run("resource", "set", "default/app/key", "-", input=SECRET)
    made.run("resource", "set", "default/hidden/key", "-", input=SECRET)
    yield made
    made.stop()


def attested(client, amd, **changes):
    values = {"measurement": MEASUREMENT, "host_data": WORKLOAD} | changes
    client.auth()
    client.attest(amd.evidence(client.report_data(), **values))
    return client


def refusal(call):
    with pytest.raises(Refused) as caught:
        call()
    assert caught.value.status == 401
    return caught.value


@pytest.mark.parametrize("kty", ["EC", "RSA"])
def test_a_tee_gets_its_secret(broker, amd, kty):
    assert attested(broker.client(kty=kty), amd).resource("default/app/key") == SECRET


def test_p521(broker, amd):
    client = broker.client()
    client.new_key("EC", "P-521")
    assert attested(client, amd).resource("default/app/key") == SECRET


def test_the_token_is_signed_and_opens_the_session(broker, amd):
    client = attested(broker.client(), amd)
    keys = jwk.JWKSet.from_json(client.call("GET", "/.well-known/jwks.json").decode())
    token = jwt.JWT(jwt=client.token, key=keys, algs=["ES256"])
    claims = json.loads(token.claims)
    cpu = claims["submods"]["cpu0"]
    evidence = cpu["ear.veraison.annotated-evidence"]
    assert evidence["runtime_data_claims"]["tee-pubkey"] == client.public
    assert evidence["snp"]["measurement"] == MEASUREMENT.hex()
    assert evidence["simulated"] is True and cpu["ear.status"] == "contraindicated"
    assert client.resource("default/app/key", token=client.token) == SECRET


def test_the_header_is_in_the_order_of_cocos_client(broker, amd):
    import base64
    client = attested(broker.client(), amd)
    body = json.loads(client.call("GET", "/kbs/v0/resource/default/app/key"))
    header = base64.urlsafe_b64decode(body["protected"] + "==").decode()
    parsed = json.loads(header)
    assert list(parsed) == ["alg", "enc", "epk"] and list(parsed["epk"]) == ["crv", "kty", "x", "y"]
    assert json.dumps(parsed, separators=(",", ":")) == header
    assert list(body) == ["protected", "encrypted_key", "iv", "ciphertext", "tag"]


def test_missing_and_refused_look_alike(broker, amd):
    client = attested(broker.client(), amd)
    answers = [refusal(lambda path=path: client.resource(path)) for path in
               ("default/app/none", "default/hidden/key", "default/nowhere/key", "x/../y")]
    assert len({answer.body for answer in answers}) == 1
    outcomes = [entry["outcome"] for entry in broker.audit()[-4:]]
    assert outcomes == ["missing-resource", "no-rule", "no-rule", "invalid-path"]


def test_a_secret_is_released_once_for_a_nonce(broker, amd):
    client = attested(broker.client(), amd)
    client.resource("default/app/key")
    assert refusal(lambda: client.resource("default/app/key")).variant == "PolicyDeny"
    assert broker.audit()[-1]["outcome"] == "already-released"


@pytest.mark.parametrize("changes", [
    {"measurement": bytes([0x5B]) + MEASUREMENT[1:]}, {"host_data": WORKLOAD[:-1] + b"\0"}])
def test_a_changed_platform_or_workload_is_refused(broker, amd, changes):
    client = attested(broker.client(), amd, **changes)
    assert refusal(lambda: client.resource("default/app/key")).variant == "PolicyDeny"
    last = broker.audit()[-1]
    named = "policy.platform" if "measurement" in changes else "policy.workload"
    assert last["outcome"] == "policy-denied" and named in last["details"]["reasons"]


@pytest.mark.parametrize("changes", [{"policy": 0xB0000}, {"vmpl": 1}])
def test_debug_and_lower_privilege_are_refused(broker, amd, changes):
    answer = refusal(lambda: attested(broker.client(), amd, **changes))
    assert b"evidence-refused" in answer.body
    assert (b"debug" if "policy" in changes else b"vmpl") in answer.body


def test_a_nonce_counts_once(broker, amd):
    client = attested(broker.client(), amd)
    answer = refusal(lambda: client.call("POST", "/kbs/v0/attest", client.message))
    assert b"stale-nonce" in answer.body


def test_a_stale_nonce_is_refused(broker, amd):
    client = broker.client()
    old = client.auth()
    evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    client.auth()
    assert b"stale-nonce" in refusal(lambda: client.attest(evidence, nonce=old)).body


def test_replayed_evidence_is_refused(broker, amd):
    client = broker.client()
    client.auth()
    evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    client.auth()
    answer = refusal(lambda: client.attest(evidence))
    assert b"evidence-refused" in answer.body and b"report_data" in answer.body


def test_a_foreign_key_is_refused(broker, amd):
    client = broker.client()
    client.auth()
    evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    client.new_key()
    assert b"report_data" in refusal(lambda: client.attest(evidence)).body


def test_another_vendor_is_refused(broker, amd):
    answer = refusal(lambda: attested(broker.client(), SimulatedAMD()))
    assert b"untrusted-root" in answer.body or b"tampered" in answer.body


def test_simulation_is_refused_unless_allowed(amd, tmp_path):
    strict = Broker(tmp_path / "strict")
    try:
        answer = refusal(lambda: attested(strict.client(), amd))
        assert b"-refused" in answer.body
        assert b"simulated-refused" in refusal(lambda: strict.client().auth("sample")).body
    finally:
        strict.stop()


def test_a_session_expires(amd, tmp_path):
    (tmp_path / "ark.der").write_bytes(amd.ark)
    short = Broker(
        tmp_path / "short", "--dangerously-accept-simulated-root", str(tmp_path / "ark.der"))
    try:
        short.stop()
        path = f"{short.folder}/arca-kbs.yaml"
        text = open(path).read().replace("sessionSeconds: 300", "sessionSeconds: 2")
        open(path, "w").write(text)
        short.start()
        client = attested(short.client(), amd)
        time.sleep(2.1)
        assert refusal(lambda: client.resource("default/app/key")).variant == "ExpiredCookie"
        answer = refusal(lambda: client.resource("default/app/key", token=client.token))
        assert answer.variant == "TokenVerifierError"
    finally:
        short.stop()


def test_without_a_session_nothing_is_given(broker):
    assert refusal(lambda: broker.client().resource("default/app/key")).variant == \
        "UnauthenticatedCookie"


def test_bodies_are_bounded(broker):
    with pytest.raises((Refused, OSError)) as caught:
        broker.client().call("POST", "/kbs/v0/auth", b"x" * (3 << 20))
    assert not isinstance(caught.value, Refused) or caught.value.status == 413


def test_tls_is_authenticated(broker, tmp_path):
    other = Broker(tmp_path / "other")
    try:
        client = Client(broker.port, f"{other.folder}/tls.pem")
        with pytest.raises(ssl.SSLError):
            client.auth()
    finally:
        other.stop()


def test_administration(broker, amd):
    client = broker.client()
    path = "/kbs/v0/resource/default/app/made"
    assert refusal(lambda: client.call("POST", path, b"1")).variant == "AdminAuthError"
    token = broker.run("token", "admin").stdout.decode().strip()
    headers = {"Authorization": f"Bearer {token}"}
    client.call("POST", path, b"made over the network", headers)
    listed = json.loads(client.call("GET", "/kbs/v0/resources", headers=headers))
    assert "default/app/made" in [entry["path"] for entry in listed]
    assert attested(broker.client(), amd).resource("default/app/made") == b"made over the network"
    assert broker.run("resource", "get", "default/app/made").stdout == b"made over the network"
    client.call("DELETE", path, headers=headers)
    assert broker.run("resource", "get", "default/app/made", check=False).returncode != 0


def test_explain(broker, amd):
    client = attested(broker.client(), amd)
    done = broker.run(
        "policy", "explain", "default/app/key", "-", input=client.message.encode())
    assert b"rule app: accepts" in done.stdout and b"simulated" in done.stdout
    done = broker.run(
        "policy", "explain", "default/hidden/key", "-", input=client.message.encode(), check=False)
    assert done.returncode == 1 and b"no rule" in done.stdout


def test_health_and_metrics(broker):
    client = broker.client()
    assert client.call("GET", "/healthz") == b"ok\n"
    assert b'arca_kbs_attest_total{outcome="ok"}' in client.call("GET", "/metrics")


def test_rotation_and_backup(broker, amd, tmp_path):
    broker.run("rotate")
    assert attested(broker.client(), amd).resource("default/app/key") == SECRET
    done = broker.run("backup", str(tmp_path / "copy.db"))
    assert b"copied" in done.stdout and (tmp_path / "copy.db").stat().st_mode & 0o077 == 0


def test_secrets_are_in_no_file(broker):
    for top, _, names in os.walk(broker.folder):
        for file in names:
            content = open(os.path.join(top, file), "rb").read()
            assert SECRET not in content, file


def test_killed_while_writing(amd, tmp_path):
    """Ten kills while writers and attesters work: no acknowledged write is lost, no secret is
    released twice for a nonce, and the audit chain holds."""
    (tmp_path / "ark.der").write_bytes(amd.ark)
    broker = Broker(
        tmp_path / "killed", "--dangerously-accept-simulated-root", str(tmp_path / "ark.der"))
    broker.run("policy", "install", "-", input=POLICY.encode())
    broker.run("resource", "set", "default/app/key", "-", input=SECRET)
    token = broker.run("token", "admin", "--seconds", "3600").stdout.decode().strip()
    headers = {"Authorization": f"Bearer {token}"}
    written, released, stop = [], [], threading.Event()

    def write(worker):
        count = 0
        while not stop.is_set():
            path, content = f"default/w{worker}/n{count}", f"{worker}-{count}".encode()
            try:
                broker.client().call("POST", f"/kbs/v0/resource/{path}", content, headers)
                written.append((path, content))
                count += 1
            except OSError:
                time.sleep(0.02)

    def attest():
        while not stop.is_set():
            client, got = broker.client(), 0
            try:
                attested(client, amd)
            except (Refused, OSError):
                continue
            for _ in range(4):
                try:
                    client.resource("default/app/key")
                    got += 1
                except Refused:
                    pass
                except OSError:
                    time.sleep(0.05)
            released.append(got)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(2)]
    threads += [threading.Thread(target=attest) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        time.sleep(0.4)
        broker.stop(signal.SIGKILL)
        broker.start()
    time.sleep(0.4)
    stop.set()
    for thread in threads:
        thread.join()
    broker.stop(signal.SIGKILL)
    assert len(written) > 20 and sum(released) > 5
    assert max(released) == 1
    broker.run("audit", "verify")
    sessions = [entry["details"]["session"] for entry in broker.audit()
                if entry["action"] == "release" and entry["outcome"] == "ok"]
    assert len(sessions) == len(set(sessions)) and len(sessions) >= sum(released)
    listed = broker.run("resource", "list").stdout.decode()
    names = {line.split("\t")[0] for line in listed.splitlines()}
    assert not [path for path, _ in written if path not in names]
    for path, content in written[-5:]:
        assert broker.run("resource", "get", path).stdout == content


def test_the_administrators_page(broker, amd):
    attested(broker.client(), amd).resource("default/app/key")
    client = broker.client()
    assert b"Administrator" in client.call("GET", "/admin")
    token = broker.run("token", "admin").stdout.decode().strip()
    page = client.call("GET", "/admin", headers={"Cookie": f"arca-kbs-admin={token}"}).decode()
    assert "default/app/key" in page and "release" in page and "simulated" in page
    assert "bootloader 10" in page and SECRET.decode() not in page
    assert b"Administrator" in client.call("GET", "/admin", headers={"Cookie": "arca-kbs-admin=x"})
    with pytest.raises(Refused) as signed_in:
        client.call("POST", "/admin", f"token={token}")
    assert signed_in.value.status == 303


def test_two_hundred_at_a_time(broker, amd):
    got, faults = [], []

    def exchange():
        try:
            got.append(attested(broker.client(), amd).resource("default/app/key"))
        except Exception as fault:  # whatever it is, the test reports it
            faults.append(fault)

    threads = [threading.Thread(target=exchange) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and got == [SECRET] * 200
