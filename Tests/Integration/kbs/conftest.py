"""What the tests of the broker share: a simulated vendor, made once, since it looks for primes."""

import pytest

from broker_process import POLICY, SECRET, Broker
from simulated_amd import SimulatedAMD


@pytest.fixture(scope="session")
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
