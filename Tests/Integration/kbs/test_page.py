"""The administrators' page in headless Chromium, over TLS: what is in the DOM, and what is not."""

import base64
import hashlib
import html.parser
import json
import os
import select
import shutil
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker_process import MEASUREMENT, POLICY, SECRET, Broker, attested, refusal
from kbs_client import Refused


class Tables(html.parser.HTMLParser):
    """The rows of a page's tables by the heading before each; text of cells only."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.heading, self.inside = {}, "", None
        self.feed(text)

    def handle_starttag(self, tag, _):
        if tag == "h2":
            self.heading, self.inside = "", tag
        elif tag == "tr":
            self.tables.setdefault(self.heading, []).append([])
        elif tag in ("td", "th"):
            self.tables[self.heading][-1].append("")
            self.inside = "cell"

    def handle_endtag(self, tag):
        if tag in ("td", "th", "h2", "tr"):
            self.inside = None

    def handle_data(self, data):
        if self.inside == "h2":
            self.heading += data
        elif self.inside == "cell":
            self.tables[self.heading][-1][-1] += data

    def rows(self, heading):
        """The rows below the first, as dictionaries by column."""
        first, *rest = self.tables[heading]
        return [dict(zip(first, row)) for row in rest]


def chromium():
    return shutil.which("chromium")


class Browser:
    """Chromium, spoken to by the DevTools protocol over two pipes. The broker's certificate is
    trusted by its key's digest alone."""

    def __init__(self, broker, folder):
        certificate = x509.load_pem_x509_certificate(open(f"{broker.folder}/tls.pem", "rb").read())
        key = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
        theirs_in, self.out = os.pipe()
        self.answers, theirs_out = os.pipe()
        words = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-dev-shm-usage", "--disable-background-networking",
                 f"--user-data-dir={folder}/profile", "--remote-debugging-pipe",
                 f"--ignore-certificate-errors-spki-list={pin}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *words],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer, self.number = b"", 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    session = None

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._line())
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def _line(self):
        deadline = time.monotonic() + 60
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], deadline - time.monotonic())
            assert ready, "chromium does not answer"
            content = os.read(self.answers, 1 << 16)
            assert content, "chromium has ended"
            self.buffer += content
        line, self.buffer = self.buffer.split(b"\0", 1)
        return line

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")

    def wait(self, condition):
        deadline = time.monotonic() + 30
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, self.dom()
            time.sleep(0.05)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait(f"location.href == {json.dumps(address)} && document.readyState == 'complete'")

    def dom(self):
        return self.evaluate("document.documentElement.outerHTML")

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        os.close(self.out)
        os.close(self.answers)


@pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="chromium is not installed")
def test_the_page_in_chromium(amd, tmp_path):
    (tmp_path / "ark.der").write_bytes(amd.ark)
    broker = Broker(
        tmp_path / "broker", "--dangerously-accept-simulated-root", str(tmp_path / "ark.der"))
    browser = None
    try:
        broker.accept_requests()
        broker.run("resource", "set", "default/hidden/b", "-", input=SECRET)
        client = attested(broker.client(), amd)
        assert client.resource("default/app/key") == SECRET
        refusal(lambda: attested(
            broker.client(), amd, measurement=bytes(48)).resource("default/app/key"))
        refusal(lambda: attested(broker.client(), amd, vmpl=1))
        assert client.counter("default/app/volume", 0, 3) == 3
        browser = Browser(broker, tmp_path)
        browser.open(f"https://127.0.0.1:{broker.port}/admin")
        assert "Sign in" in browser.dom() and "default/app/key" not in browser.dom()
        token = broker.run("token", "admin").stdout.decode().strip()
        browser.evaluate(f"document.getElementById('token').value = {json.dumps(token)}")
        browser.evaluate("document.querySelector('button').click()")
        browser.wait("document.readyState == 'complete' && document.title.startsWith('Key broker')")
        dom = browser.dom()
        tables = Tables(dom)
        events = tables.rows("Attestations and releases")
        outcomes = [(event["Action"], event["Outcome"]) for event in events]
        assert ("release", "ok simulated") in outcomes and ("attest", "ok simulated") in outcomes
        refused = [event for event in events if event["Outcome"] == "policy-denied"]
        assert len(refused) == 1 and MEASUREMENT.hex() in refused[0]["Why"]
        refused = [event for event in events if event["Outcome"] == "evidence-refused"]
        assert len(refused) == 1 and "vmpl" in refused[0]["Why"]
        fleet = tables.rows("Fleet")
        assert len(fleet) == 1 and fleet[0]["Chip"] == amd.chip_id.hex()[:16] + "…"
        assert "bootloader 10" in fleet[0]["TCB"] and "microcode 219" in fleet[0]["TCB"]
        assert fleet[0]["Status"] == "valid" and "simulated" in fleet[0]["TEE"]
        resources = {row["Path"]: row for row in tables.rows("Resources")}
        assert set(resources) == {"default/app/key", "default/hidden/b"}
        assert resources["default/app/key"]["Bytes"] == str(len(SECRET))
        counters = {row["Path"]: row["Generation"] for row in tables.rows("Counters")}
        assert counters == {"default/app/volume": "3"}
        assert "SIMULATED evidence is accepted" in dom
        encoded = base64.b64encode(SECRET).decode().rstrip("=")
        for secret in (SECRET.decode(), SECRET.hex(), encoded, token):
            assert secret not in dom
        # No script reads the token, the style sheet applies, and nothing else was loaded or run.
        assert browser.evaluate("document.cookie") == ""
        width = "getComputedStyle(document.querySelector('table')).borderCollapse"
        assert browser.evaluate(width) == "collapse"
        assert "<script" not in dom and "http:" not in dom
        # The page follows events by itself.
        attested(broker.client(), amd).resource("default/app/key")
        browser.wait(f"document.querySelectorAll('tbody tr').length > {dom.count('<tr>') - 4}")
    finally:
        if browser:
            browser.close()
        broker.stop()


def test_a_forged_token_shows_nothing(broker):
    with pytest.raises(Refused) as signed_in:
        broker.client().call("POST", "/admin", f"token={broker.admin_headers()['Authorization'][7:]}")
    assert signed_in.value.status == 303
    forged = broker.admin_headers()["Authorization"][7:-4] + "AAAA"
    page = broker.client().call("POST", "/admin", f"token={forged}").decode()
    assert "Administrator" in page and "default/app/key" not in page
