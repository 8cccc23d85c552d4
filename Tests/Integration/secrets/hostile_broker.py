"""Someone who answers in the key broker's place: with its certificate and key, as whoever broke
into it does, passing calls on and changing them; or with its certificate alone."""

import base64
import http.client
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


class HostileBroker:
    """Serves with the key of the broker in `folder` and passes calls on to it at `port`.

    `request` and `answer` take what was called (auth, attest, resource/…) and a body, and give the
    body that goes on; each is kept, as it came, in `requests` and `answers`."""

    def __init__(self, folder, port, request=None, answer=None):
        self.port_of_broker = port
        self.trust = ssl.create_default_context(cafile=f"{folder}/tls.pem")
        self.change = {"request": request, "answer": answer}
        self.requests, self.answers = {}, {}
        hostile = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hostile.serve(self, body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/tls.pem", f"{folder}/tls.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port_of_broker, context=self.trust, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def new_challenge(self):
        """A challenge of the broker's in a session of the attacker's own."""
        message = json.dumps({"version": "0.4.0", "tee": "snp", "extra-params": {}})
        return json.loads(self.call("POST", "/kbs/v0/auth", message)[1])

    def serve(self, handler, body):
        name = handler.path.removeprefix("/kbs/v0/")
        self.requests[name] = body
        if self.change["request"]:
            body = self.change["request"](name, body)
        cookie = handler.headers.get("Cookie")
        response, content = self.call(
            handler.command, handler.path, body or None, {"Cookie": cookie} if cookie else {})
        self.answers[name] = content
        if self.change["answer"] and response.status == 200:
            content = self.change["answer"](name, content)
        handler.send_response(response.status)
        for value in response.headers.get_all("Set-Cookie") or []:
            handler.send_header("Set-Cookie", value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def another_key():
    """A public key, as guests send theirs, whose private half the guest does not have."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {"alg": "ECDH-ES+A256KW", "crv": "P-256", "kty": "EC",
            "x": base64url(point.x.to_bytes(32, "big")),
            "y": base64url(point.y.to_bytes(32, "big"))}


def with_debug_policy(report, key):
    """The SNP report (JSON) with a policy that allows debugging, signed by `key`, the chip's key:
    what a host gets that starts the same guest so that it can read its memory."""
    changed = report | {"policy": report["policy"] | 1 << 19}
    signature = key.sign(report_bytes(changed), ec.ECDSA(hashes.SHA384()))
    r, s = decode_dss_signature(signature)
    return changed | {"signature": {"r": list(r.to_bytes(72, "little")),
                                    "s": list(s.to_bytes(72, "little"))}}


def report_bytes(report):
    """The signed 672 bytes of a version 3 report of Milan or Genoa (AMD 56860, table 23)."""
    def tcb(name):
        part = report[name]
        return bytes([part["bootloader"], part["tee"], 0, 0, 0, 0, part["snp"], part["microcode"]])

    def firmware(name):
        part = report[name]
        return bytes([part["build"], part["minor"], part["major"], 0])

    def number(name, width):
        return report[name].to_bytes(width, "little")

    body = b"".join([
        number("version", 4), number("guest_svn", 4), number("policy", 8),
        bytes(report["family_id"]), bytes(report["image_id"]), number("vmpl", 4),
        number("sig_algo", 4), tcb("current_tcb"), number("plat_info", 8), number("key_info", 4),
        bytes(4), bytes(report["report_data"]), bytes(report["measurement"]),
        bytes(report["host_data"]), bytes(report["id_key_digest"]),
        bytes(report["author_key_digest"]), bytes(report["report_id"]),
        bytes(report["report_id_ma"]), tcb("reported_tcb"),
        bytes([report["cpuid_fam_id"], report["cpuid_mod_id"], report["cpuid_step"]]), bytes(21),
        bytes(report["chip_id"]), tcb("committed_tcb"), firmware("current"), firmware("committed"),
        tcb("launch_tcb")])
    return body + bytes(0x2A0 - len(body))


class StolenCertificate:
    """Serves the certificate of the broker in `folder`, whose private key it does not have.

    Its key file names the certificate's public key beside another private key, so that TLS takes it
    for the certificate's and signs with the other."""

    def __init__(self, folder, work):
        spki = subprocess.run(
            f"openssl x509 -in '{folder}/tls.pem' -noout -pubkey"
            " | openssl pkey -pubin -outform DER",
            shell=True, check=True, capture_output=True).stdout
        point = spki[-65:]
        scalar = b"\1" + os.urandom(31)
        curve = bytes.fromhex("06082a8648ce3d030107")

        def element(tag, content):
            return bytes([tag, len(content)]) + content

        key = element(0x30, element(2, b"\1") + element(4, scalar) + element(0xA0, curve)
                      + element(0xA1, element(3, b"\0" + point)))
        path = work / "stolen.key"
        path.write_text("-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(key).decode()
                        + "-----END EC PRIVATE KEY-----\n")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/tls.pem", path)
        self.faults = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                guest, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.context.wrap_socket(guest, server_side=True).close()
                self.faults.append("the guest took the handshake for the broker's")
            except (ssl.SSLError, OSError) as fault:
                self.faults.append(str(fault))

    def close(self):
        self.listener.close()
