"""A client of the key broker protocol (version 0.4.0), written from its description alone."""

import hashlib
import http.client
import json
import secrets
import ssl

from jwcrypto import jwe, jwk


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body!r}")
        self.status = status
        self.body = body

    @property
    def variant(self):
        return json.loads(self.body)["type"].rsplit("/", 1)[1]


class Client:
    """A client of one broker, or of several behind a round robin: each call goes to the next port,
    and to the one after it where nobody listens."""

    def __init__(self, port, certificate, kty="EC"):
        self.ports = list(port) if isinstance(port, (list, tuple)) else [port]
        self.context = ssl.create_default_context(cafile=certificate)
        self.cookie = None
        self.new_key(kty)

    def new_key(self, kty="EC", crv="P-256"):
        if kty == "EC":
            self.key = jwk.JWK.generate(kty="EC", crv=crv)
            names, algorithm = ("kty", "crv", "x", "y"), "ECDH-ES+A256KW"
        else:
            self.key = jwk.JWK.generate(kty="RSA", size=2048)
            names, algorithm = ("kty", "n", "e"), "RSA-OAEP-256"
        public = json.loads(self.key.export_public())
        self.public = {name: public[name] for name in names} | {"alg": algorithm}

    def call(self, method, path, body=None, headers=None, cookie=True):
        headers = dict(headers or {})
        if self.cookie and cookie:
            headers["Cookie"] = f"kbs-session-id={self.cookie}"
        connection = self._connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            for value in response.headers.get_all("Set-Cookie") or []:
                field = value.split(";")[0]
                if field.startswith("kbs-session-id="):
                    self.cookie = field.split("=", 1)[1]
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, content)
        return content

    def _connect(self):
        fault = None
        for _ in self.ports:
            self.ports.append(self.ports.pop(0))
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.ports[-1], context=self.context, timeout=30)
            try:
                connection.connect()
                return connection
            except ConnectionRefusedError as refused:
                fault = refused
        raise fault

    def auth(self, tee="snp"):
        request = {"version": "0.4.0", "tee": tee, "extra-params": {
            "supported-hash-algorithms": ["sha256", "sha384", "sha512", "sm3"]}}
        challenge = json.loads(self.call("POST", "/kbs/v0/auth", json.dumps(request)))
        self.nonce = challenge["nonce"]
        return self.nonce

    def report_data(self, nonce=None, key=None):
        data = {"additional-evidence": "", "nonce": nonce or self.nonce,
                "tee-pubkey": key or self.public}
        return hashlib.sha384(canonical(data)).digest()

    def attestation(self, evidence, nonce=None):
        message = {"init-data": None,
                   "runtime-data": {"nonce": nonce or self.nonce, "tee-pubkey": self.public},
                   "tee-evidence": {"primary_evidence": evidence, "additional_evidence": ""}}
        return json.dumps(message)

    def attest(self, evidence, nonce=None):
        self.message = self.attestation(evidence, nonce)
        self.token = json.loads(self.call("POST", "/kbs/v0/attest", self.message))["token"]
        return self.token

    def resource(self, path, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = self.call("GET", f"/kbs/v0/resource/{path}", headers=headers, cookie=not token)
        return self.decrypt(body)

    def counter(self, path, expected=None, advanced=None):
        nonce = secrets.token_urlsafe(24)
        query, method = f"nonce={nonce}", "GET"
        if advanced is not None:
            query, method = f"{query}&expected={expected}&next={advanced}", "POST"
        answer = json.loads(self.decrypt(self.call(method, f"/kbs/v0/counter/{path}?{query}")))
        assert answer["nonce"] == nonce and list(answer) == ["generation", "nonce"]
        return answer["generation"]

    def decrypt(self, body):
        box = jwe.JWE(algs=["ECDH-ES+A256KW", "RSA-OAEP-256", "A256GCM"])
        box.deserialize(body.decode(), self.key)
        return box.payload
