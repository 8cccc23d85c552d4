"""A certification and key distribution service for tests: serves a bundle folder on loopback.

Speaks the addresses of Intel's PCS/PCCS version 4 and of AMD's KDS. Prints its port, and writes one
line for each request to the file LOG; /stop ends it. Usage: service.py FOLDER LOG
"""

import base64
import http.server
import os
import pathlib
import sys
import urllib.parse

FOLDER = pathlib.Path(sys.argv[1])
LOG = open(sys.argv[2], "w", buffering=1)


def content(name):
    return (FOLDER / name).read_bytes()


def pem(name):
    text = base64.b64encode(content(name)).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def chain(header, name):
    return {header: urllib.parse.quote(content(name))}


def answer(path, query):
    """Body and headers for a request, or None."""
    parts = path.strip("/").split("/")
    if parts[1:3] == ["certification", "v4"]:
        rest = "/".join(parts[3:])
        if rest == "tcb" and len(query.get("fmspc", [""])[0]) == 12:
            return content("tcb_info.json"), chain("TCB-Info-Issuer-Chain", "tcb_signing_chain.pem")
        if rest == "qe/identity":
            return content("qe_identity.json"), chain(
                "SGX-Enclave-Identity-Issuer-Chain", "qe_identity_chain.pem"
            )
        if rest == "pckcrl" and query.get("encoding") == ["der"]:
            return content("pck.crl.der"), chain("SGX-PCK-CRL-Issuer-Chain", "pck_crl_chain.pem")
        if rest == "rootcacrl":
            return content("root_ca.crl.der").hex().encode(), {}
    if parts[0] == "vcek" and parts[1] == "v1":
        if parts[3] == "cert_chain":
            return (pem("ask.der") + pem("ark.der")).encode(), {}
        if parts[3] == "crl":
            return content("crl.der"), {}
        if query.get("blSPL"):
            return content("vcek.der"), {}
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/stop":
            LOG.close()
            os._exit(0)
        print(self.path, file=LOG)
        parsed = urllib.parse.urlsplit(self.path)
        try:
            found = answer(parsed.path, urllib.parse.parse_qs(parsed.query))
        except (OSError, IndexError):
            found = None
        body, headers = found or (b"not found", {})
        self.send_response(200 if found else 404)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
