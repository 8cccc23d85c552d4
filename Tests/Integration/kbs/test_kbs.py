"""Carries the exchange with arca-kbs through over TLS, in every way that must be refused too."""

import json
import os
import socket
import ssl
import threading
import time

import pytest
from jwcrypto import jwk, jwt

from broker_process import (
    MEASUREMENT, POLICY, SECRET, WORKLOAD, Broker, attested, logged, refusal)
from kbs_client import Client, Refused
from simulated_amd import SimulatedAMD


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


def test_a_counter_only_advances(broker, amd):
    client = attested(broker.client(), amd)
    path = "default/app/volume"
    assert client.counter(path) == 0
    assert client.counter(path, 0, 7) == 7
    answer = refusal(lambda: client.counter(path, 0, 8), status=409)
    assert answer.variant == "CounterConflict"
    assert attested(broker.client(), amd).counter(path) == 7
    assert refusal(lambda: client.counter("default/hidden/volume")).variant == "PolicyDeny"
    assert refusal(lambda: broker.client().counter(path)).variant == "UnauthenticatedCookie"
    assert f"{path}\t7\n" in broker.run("counter", "list").stdout.decode()
    broker.run("counter", "remove", path)
    assert attested(broker.client(), amd).counter(path) == 0


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
    named = "debug" if "policy" in changes else "vmpl"
    assert named.encode() in answer.body
    logged(broker, "evidence-refused", named)


def test_a_nonce_counts_once(broker, amd):
    client = attested(broker.client(), amd)
    answer = refusal(lambda: client.call("POST", "/kbs/v0/attest", client.message))
    assert b"stale-nonce" in answer.body
    logged(broker, "stale-nonce", "used before")


def test_of_many_attempts_with_one_nonce_one_counts(broker, amd):
    """At one moment, each of them sound: one token, one attestation in the log, and refusals."""
    client = broker.client()
    client.auth()
    message = client.attestation(amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD))
    before, outcomes = len(broker.audit()), []

    def attempt():
        try:
            client.call("POST", "/kbs/v0/attest", message)
            outcomes.append("ok")
        except Refused as refused:
            outcomes.append("stale-nonce" if b"stale-nonce" in refused.body else refused.body)

    threads = [threading.Thread(target=attempt) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ok"] + ["stale-nonce"] * 23
    assert sorted(entry["outcome"] for entry in broker.audit()[before:]) == sorted(outcomes)


def test_a_refused_attempt_takes_the_nonce(broker, amd):
    client = broker.client()
    client.auth()
    refusal(lambda: client.attest(amd.evidence(b"x" * 48, MEASUREMENT, WORKLOAD)))
    logged(broker, "evidence-refused", "report_data")
    sound = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    assert b"stale-nonce" in refusal(lambda: client.attest(sound)).body
    logged(broker, "stale-nonce", "used before")


def test_a_stale_nonce_is_refused(broker, amd):
    client = broker.client()
    old = client.auth()
    evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    client.auth()
    assert b"stale-nonce" in refusal(lambda: client.attest(evidence, nonce=old)).body
    logged(broker, "stale-nonce", "not this session's")


def test_replayed_evidence_is_refused(broker, amd):
    client = broker.client()
    client.auth()
    evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    client.auth()
    answer = refusal(lambda: client.attest(evidence))
    assert b"evidence-refused" in answer.body and b"report_data" in answer.body
    logged(broker, "evidence-refused", "report_data")


def test_a_foreign_key_is_refused(broker, amd):
    client = broker.client()
    client.auth()
    evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
    client.new_key()
    assert b"report_data" in refusal(lambda: client.attest(evidence)).body
    logged(broker, "evidence-refused", "report_data")


def test_expired_collateral_is_refused(amd, tmp_path):
    """By the list that the attester brings, where the broker has none, and by the broker's own."""
    (tmp_path / "ark.der").write_bytes(amd.ark)
    made = Broker(
        tmp_path / "broker", "--dangerously-accept-simulated-root", str(tmp_path / "ark.der"))
    try:
        made.accept_requests()

        def attempt(crl):
            client = made.client()
            client.auth()
            evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
            chain = [entry for entry in evidence["cert_chain"] if entry["cert_type"] != "CRL"]
            client.attest(evidence | {
                "cert_chain": chain + [{"cert_type": "CRL", "data": list(crl)}]})
            return client

        # The same chip and signatures hold before and after with a list that is not over.
        assert attempt(amd.crl).resource("default/app/key") == SECRET
        assert b"crl.validity" in refusal(lambda: attempt(amd.expired_list())).body
        logged(made, "evidence-refused", "crl.validity")
        assert attempt(amd.crl).resource("default/app/key") == SECRET
        folder = tmp_path / "broker/collateral/snp-milan"
        folder.mkdir(parents=True)
        (folder / "crl.der").write_bytes(amd.expired_list())
        # What the folder holds is looked at again after some seconds.
        time.sleep(5.5)
        assert b"crl.validity" in refusal(lambda: attempt(amd.crl)).body
        logged(made, "evidence-refused", "crl.validity")
    finally:
        made.stop()


def test_another_vendor_is_refused(broker, amd):
    answer = refusal(lambda: attested(broker.client(), SimulatedAMD()))
    assert b"untrusted-root" in answer.body or b"tampered" in answer.body
    logged(broker, "evidence-refused", "ark.trusted")


@pytest.mark.parametrize("brings_chain", [True, False])
def test_a_simulated_vendor(amd, tmp_path, brings_chain):
    """Its evidence is accepted where root and rule both say so, with and without a chain."""
    for file, content in (("ark", amd.ark), ("ask", amd.ask), ("vcek", amd.vcek), ("crl", amd.crl)):
        (tmp_path / f"{file}.der").write_bytes(content)
    trusting = Broker(tmp_path / "trusting", "--simulated-vendor", str(tmp_path))
    try:
        silent = POLICY.replace("dangerouslyAcceptSimulatedEvidence: true", "")
        for policy in (POLICY, silent):
            trusting.run("policy", "install", "-", input=policy.encode())
            trusting.run("resource", "set", "default/app/key", "-", input=SECRET)
            client = trusting.client()
            client.auth()
            evidence = amd.evidence(client.report_data(), MEASUREMENT, WORKLOAD)
            client.attest(evidence if brings_chain else evidence | {"cert_chain": None})
            if policy == POLICY:
                assert client.resource("default/app/key") == SECRET
            else:
                assert refusal(lambda: client.resource("default/app/key")).variant == "PolicyDeny"
                assert "policy.simulated" in trusting.audit()[-1]["details"]["reasons"]
    finally:
        trusting.stop()


def test_simulation_is_refused_unless_allowed(amd, tmp_path):
    strict = Broker(tmp_path / "strict")
    try:
        answer = refusal(lambda: attested(strict.client(), amd))
        assert b"simulated-refused" in answer.body
        logged(strict, "simulated-refused", "ark.trusted")
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


def test_bytes_of_an_earlier_connection_are_no_request(broker, amd, tmp_path):
    """Whoever carries the bytes sends those of a whole exchange again: TLS has fresh keys then."""
    sent, lock = [], threading.Lock()
    listener = socket.create_server(("127.0.0.1", 0))

    def relay():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", broker.port))
            with lock:
                sent.append(bytearray())
            for source, sink, kept in ((client, server, sent[-1]), (server, client, None)):
                threading.Thread(target=pump, args=(source, sink, kept), daemon=True).start()

    def pump(source, sink, kept):
        try:
            while chunk := source.recv(65536):
                if kept is not None:
                    kept.extend(chunk)
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threading.Thread(target=relay, daemon=True).start()
    client = Client(listener.getsockname()[1], f"{broker.folder}/tls.pem")
    assert attested(client, amd).resource("default/app/key") == SECRET
    assert len(sent) == 3 and len(sent[1]) > 10_000

    def failed():
        text = broker.client().call("GET", "/metrics").decode()
        rest = text.split('arca_kbs_connection_total{outcome="failed"} ')[1:]
        return int(rest[0].split("\n")[0]) if rest else 0

    before, failures = len(broker.audit()), failed()
    for bytes_of_one in sent:
        with socket.create_connection(("127.0.0.1", broker.port), 20) as again:
            try:
                again.sendall(bytes_of_one)
                while again.recv(65536):
                    pass
            except OSError:
                pass
    assert failed() == failures + 3
    assert len(broker.audit()) == before
    assert b"connection failed" in open(f"{broker.folder}/log", "rb").read()
    listener.close()


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


def test_an_administrator_with_an_ed25519_key(tmp_path):
    """EdDSA as RFC 8037 has it, made by another implementation; a key that was not given is none."""
    made = Broker(tmp_path / "broker")
    made.stop()
    key = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    with open(f"{made.folder}/administrators/second.pem", "wb") as out:
        out.write(key.export_to_pem())
    made.start()
    try:
        def token(signer, algorithm, **claims):
            now = int(time.time())
            made_token = jwt.JWT(header={"alg": algorithm, "typ": "JWT"}, claims={
                "sub": "second", "iat": now, "exp": now + 60} | claims)
            made_token.make_signed_token(signer)
            return {"Authorization": f"Bearer {made_token.serialize()}"}

        client, path = made.client(), "/kbs/v0/resource/a/b/c"
        client.call("POST", path, b"x", token(key, "EdDSA"))
        assert made.audit()[-1]["details"]["by"] == "second"
        other = jwk.JWK.generate(kty="OKP", crv="Ed25519")
        curve = jwk.JWK.generate(kty="EC", crv="P-256")
        for headers in (token(other, "EdDSA"), token(curve, "ES256"),
                        token(key, "EdDSA", iat=int(time.time()) - 90, exp=int(time.time()) - 30),
                        token(key, "EdDSA", exp=int(time.time()) + 90_000)):
            answer = refusal(lambda headers=headers: client.call("POST", path, b"y", headers))
            assert answer.variant == "AdminAuthError"
    finally:
        made.stop()


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


def test_rotation(broker, amd):
    broker.run("rotate")
    assert attested(broker.client(), amd).resource("default/app/key") == SECRET


def test_secrets_are_in_no_file(broker):
    for top, _, names in os.walk(broker.folder):
        for file in names:
            content = open(os.path.join(top, file), "rb").read()
            assert SECRET not in content, file


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
