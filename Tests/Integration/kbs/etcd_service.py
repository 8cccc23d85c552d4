"""One member of etcd on loopback, which asks clients for certificates over TLS."""

import datetime
import ipaddress
import os
import random
import socket
import subprocess
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def free_port():
    """A port that nobody has, and that no connection comes from.

    Who awaits a server at one that connections come from can meet himself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "etcd authority")])
        self.path = self._write("ca.pem", self._certificate(self.name, self.key, True))

    def _certificate(self, name, key, is_authority):
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usages = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (x509.CertificateBuilder().subject_name(name).issuer_name(self.name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2))
                   .add_extension(x509.BasicConstraints(is_authority, None), critical=True))
        if not is_authority:
            builder = (builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
                       .add_extension(x509.ExtendedKeyUsage(usages), critical=False))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, file, content):
        path = f"{self.folder}/{file}"
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)
        return path

    def issue(self, name):
        """Paths of a certificate and its key, for client and server alike."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())
        return (self._write(f"{name}.pem", self._certificate(subject, key, False)),
                self._write(f"{name}.key", pem))


class Etcd:
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.authority = Authority(self.folder)
        certificate, key = self.authority.issue("member")
        self.client = self.authority.issue("broker")
        self.address, peer = (f"https://127.0.0.1:{free_port()}" for _ in range(2))
        self.words = [
            "etcd", "--name", "one", "--data-dir", f"{self.folder}/data",
            "--listen-client-urls", self.address, "--advertise-client-urls", self.address,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"one={peer}", "--client-cert-auth",
            "--trusted-ca-file", self.authority.path, "--cert-file", certificate,
            "--key-file", key, "--peer-client-cert-auth", "--peer-trusted-ca-file",
            self.authority.path, "--peer-cert-file", certificate, "--peer-key-file", key,
            "--logger", "zap", "--log-level", "error"]
        self.start()

    def options(self, prefix="/arca-kbs"):
        """What arca-kbs init takes."""
        certificate, key = self.client
        return ["--store", "etcd", "--etcd-endpoint", self.address, "--etcd-prefix", prefix,
                "--etcd-authority", self.authority.path, "--etcd-certificate", certificate,
                "--etcd-certificate-key", key]

    def start(self):
        self.log = open(f"{self.folder}/log", "ab")
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=self.log)
        port = int(self.address.rsplit(":", 1)[1])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, open(f"{self.folder}/log").read()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("etcd does not listen")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
