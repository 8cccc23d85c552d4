"""The command line over every kind of store and keyring: backups, restorations, tokens, replicas."""

import os
import shutil
import subprocess

import pytest

from broker_process import SECRET, Broker, attested
from etcd_service import Etcd
from test_crash import replica

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    made = Etcd(tmp_path_factory.mktemp("etcd") / "member")
    yield made
    made.stop()


@pytest.fixture
def simulated(amd, tmp_path):
    (tmp_path / "ark.der").write_bytes(amd.ark)
    return ["--dangerously-accept-simulated-root", str(tmp_path / "ark.der")]


@pytest.mark.parametrize("kind", ["sqlite", "etcd"])
def test_a_backup_is_restored(amd, tmp_path, simulated, etcd, kind):
    options = etcd.options("/backup") if kind == "etcd" else []
    broker = Broker(tmp_path / "broker", *simulated, *options)
    broker.accept_requests()
    client = attested(broker.client(), amd)
    assert client.counter("default/app/volume", 0, 5) == 5
    file = str(tmp_path / "backup")
    assert b"copied" in broker.run("backup", file).stdout
    assert os.stat(file).st_mode & 0o077 == 0 and SECRET not in open(file, "rb").read()
    broker.run("resource", "delete", "default/app/key")
    done = broker.run("restore", "--replace", file, check=False)
    assert done.returncode != 0 and (b"in use" in done.stderr or b"serve" in done.stderr)
    broker.stop()
    assert broker.run("restore", file, check=False).returncode != 0
    damaged = str(tmp_path / "damaged")
    content = open(file, "rb").read().replace(b'\\"action\\":\\"resource', b'\\"action\\":\\"RESOURCE')
    assert content != open(file, "rb").read()
    with open(damaged, "wb") as out:
        out.write(content)
    done = broker.run("restore", "--replace", damaged, check=False)
    assert done.returncode != 0 and b"audit-chain" in done.stderr
    assert broker.run("resource", "get", "default/app/key", check=False).returncode != 0
    broker.run("restore", "--replace", file)
    assert broker.run("resource", "get", "default/app/key").stdout == SECRET
    broker.run("audit", "verify")
    assert broker.audit()[-2]["details"]["call"] == "restore"
    broker.start()
    # No session is in a backup, so the nonce of before counts no more.
    with pytest.raises(Exception, match="InvalidCookie"):
        client.resource("default/app/key")
    assert attested(broker.client(), amd).counter("default/app/volume") == 5
    broker.stop()


def test_a_restoration_that_was_broken_off_is_done_again(tmp_path, simulated):
    broker = Broker(tmp_path / "broker", *simulated)
    broker.accept_requests()
    file = str(tmp_path / "backup")
    broker.run("backup", file)
    broker.stop()
    # As after a kill between the two renames, with leftovers of the new database.
    os.rename(f"{broker.folder}/broker.db", f"{broker.folder}/broker.db.old")
    with open(f"{broker.folder}/broker.db.new", "wb") as out:
        out.write(b"half")
    done = broker.run("audit", "verify", check=False)
    assert done.returncode != 0 and b"no such store" in done.stderr
    broker.run("restore", file)
    assert broker.run("resource", "get", "default/app/key").stdout == SECRET


def test_every_step_goes_to_another_replica(amd, tmp_path, simulated, etcd):
    first = Broker(tmp_path / "one", *simulated, *etcd.options("/replicas"))
    second = replica(first, tmp_path / "two")
    try:
        first.accept_requests()
        client = first.client()
        for _ in range(3):
            client.ports = [first.port, second.port]
            attested(client, amd)
            assert client.resource("default/app/key") == SECRET
            assert client.counter("default/app/replicas") == 0
        # A token of one is good at the other, and the policy of one is the other's.
        client = attested(first.client(), amd)
        client.ports, client.cookie = [second.port], None
        assert client.resource("default/app/key", token=client.token) == SECRET
        second.run("policy", "install", "-", input=b"version: 1\nrules: []\n")
        with pytest.raises(Exception, match="PolicyDeny"):
            attested(first.client(), amd).resource("default/app/key")
    finally:
        first.stop()
        second.stop()


def test_etcd_refuses_strangers(tmp_path, etcd):
    other = Etcd(tmp_path / "other")
    try:
        words = other.options()
        words[words.index("--etcd-authority") + 1] = etcd.authority.path
        done = subprocess.run(
            [os.environ["ARCA_KBS"], "init", "--folder", str(tmp_path / "x"), *words],
            capture_output=True, timeout=60)
        assert done.returncode != 0 and b"store" in done.stderr
        # What was begun is of no use until init is run again and comes to its end.
        done = subprocess.run(
            [os.environ["ARCA_KBS"], "resource", "list", "--folder", str(tmp_path / "x")],
            capture_output=True, timeout=60)
        assert done.returncode != 0 and b"broken off" in done.stderr
        # Nor does etcd answer to a certificate of another authority.
        words = other.options()
        words[words.index("--etcd-certificate") + 1:] = [
            etcd.client[0], "--etcd-certificate-key", etcd.client[1]]
        done = subprocess.run(
            [os.environ["ARCA_KBS"], "init", "--folder", str(tmp_path / "y"), *words],
            capture_output=True, timeout=60)
        assert done.returncode != 0
    finally:
        other.stop()


def test_the_master_key_stays_in_a_token(amd, tmp_path, simulated, monkeypatch):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "keys", "--pin", "4711",
                    "--so-pin", "1234"], check=True, capture_output=True)
    with open(os.open(tmp_path / "pin", os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
        out.write("4711\n")
    broker = Broker(tmp_path / "broker", *simulated, "--pkcs11-module", MODULE, "--pkcs11-token",
                    "keys", "--pin-file", str(tmp_path / "pin"))
    try:
        broker.accept_requests()
        assert os.listdir(f"{broker.folder}/master-keys") == []
        assert attested(broker.client(), amd).resource("default/app/key") == SECRET
        broker.run("rotate")
        assert b"key 000002" in broker.run("resource", "list").stdout
        assert attested(broker.client(), amd).resource("default/app/key") == SECRET
        shutil.rmtree(tmp_path / "tokens")
        (tmp_path / "tokens").mkdir()
        done = broker.run("resource", "get", "default/app/key", check=False)
        assert done.returncode != 0 and b"no token has this label" in done.stderr
    finally:
        broker.stop()
