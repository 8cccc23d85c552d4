"""A simulated AMD: root, intermediate, chip and revocation list in AMD's formats (AMD 57230), and SNP
reports (AMD 56860) signed by the chip. Written from the formats alone, so that the broker's verifier
is tried by something that shares no code with it."""

import datetime
import os
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AMD = "1.3.6.1.4.1.3704.1"
SIMULATION_MARK = f"2.25.{uuid.UUID('ac3eb594-f3f7-4cdd-90fb-0b0878a7d39e').int}"
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
TCB = {"fmc": None, "bootloader": 10, "tee": 0, "snp": 24, "microcode": 219}


def name(common_name):
    return x509.Name([
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Arca SIMULATED"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
    ])


def plain(oid, value):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def integer(value):
    return bytes([2, 1, value]) if value < 128 else bytes([2, 2, 0, value])


class SimulatedAMD:
    def __init__(self):
        self.now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.ark_key = rsa.generate_private_key(65537, 4096)
        self.ask_key = rsa.generate_private_key(65537, 4096)
        self.vcek_key = ec.generate_private_key(ec.SECP384R1())
        self.chip_id = os.urandom(64)
        self.ark = self._authority("ARK-Milan", self.ark_key.public_key(), None, True)
        self.ask = self._authority("SEV-Milan", self.ask_key.public_key(), 0, False)
        self.vcek = self._vcek()
        self.crl = self._crl()

    def _builder(self, subject, issuer, key):
        return (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
                .public_key(key).serial_number(x509.random_serial_number())
                .not_valid_before(self.now - datetime.timedelta(hours=1))
                .not_valid_after(self.now + datetime.timedelta(days=365)))

    def _authority(self, subject, key, length, is_root):
        usage = x509.KeyUsage(False, False, False, False, False, True, is_root, False, False)
        builder = (self._builder(subject, "ARK-Milan", key)
                   .add_extension(x509.BasicConstraints(True, length), critical=True)
                   .add_extension(usage, critical=True))
        if is_root:
            builder = builder.add_extension(plain(SIMULATION_MARK, b"\x05\x00"), critical=False)
        return self._der(builder.sign(self.ark_key, hashes.SHA384(), rsa_padding=PSS))

    def _vcek(self):
        builder = self._builder("SEV-VCEK", "SEV-Milan", self.vcek_key.public_key())
        values = {"1": integer(1), "2": b"\x16\x08Milan-B0", "3.1": integer(TCB["bootloader"]),
                  "3.2": integer(TCB["tee"]), "3.3": integer(TCB["snp"]),
                  "3.8": integer(TCB["microcode"]), "4": self.chip_id}
        for arc, value in values.items():
            builder = builder.add_extension(plain(f"{AMD}.{arc}", value), critical=False)
        return self._der(builder.sign(self.ask_key, hashes.SHA384(), rsa_padding=PSS))

    def _crl(self, days=30):
        builder = (x509.CertificateRevocationListBuilder().issuer_name(name("ARK-Milan"))
                   .last_update(self.now - datetime.timedelta(days=31 - days, hours=1))
                   .next_update(self.now + datetime.timedelta(days=days))
                   .add_extension(x509.CRLNumber(1), critical=False))
        return self._der(builder.sign(self.ark_key, hashes.SHA384(), rsa_padding=PSS))

    def expired_list(self):
        """The revocation list of a month ago, whose successor was due yesterday."""
        return self._crl(-1)

    @staticmethod
    def _der(signed):
        return signed.public_bytes(serialization.Encoding.DER)

    def evidence(self, report_data, measurement, host_data, policy=0x30000, vmpl=0):
        """primary_evidence of the key broker protocol, a version 3 report."""
        tcb = bytes([TCB["bootloader"], TCB["tee"], 0, 0, 0, 0, TCB["snp"], TCB["microcode"]])
        body = bytearray(0x2A0)

        def put(offset, value):
            body[offset:offset + len(value)] = value

        def put_number(offset, value, width):
            put(offset, value.to_bytes(width, "little"))

        put_number(0x00, 3, 4)
        put_number(0x08, policy, 8)
        put_number(0x30, vmpl, 4)
        put_number(0x34, 1, 4)
        put(0x38, tcb)
        put_number(0x40, 1, 8)
        put(0x50, report_data)
        put(0x90, measurement)
        put(0xC0, host_data)
        put(0x160, b"\xff" * 32)
        put(0x180, tcb)
        put(0x188, bytes([0x19, 1, 1]))
        put(0x1A0, self.chip_id)
        put(0x1E0, tcb)
        put(0x1E8, bytes([0, 55, 1, 0, 0, 55, 1, 0]))
        put(0x1F0, tcb)
        signature = self.vcek_key.sign(bytes(body), ec.ECDSA(hashes.SHA384()))
        r, s = decode_dss_signature(signature)

        def octets(start, count):
            return list(body[start:start + count])

        firmware = {"major": 1, "minor": 55, "build": 0}
        report = {
            "version": 3, "guest_svn": 0, "policy": policy, "family_id": octets(0x10, 16),
            "image_id": octets(0x20, 16), "vmpl": vmpl, "sig_algo": 1, "current_tcb": TCB,
            "plat_info": 1, "key_info": 0, "report_data": octets(0x50, 64),
            "measurement": octets(0x90, 48), "host_data": octets(0xC0, 32),
            "id_key_digest": octets(0xE0, 48), "author_key_digest": octets(0x110, 48),
            "report_id": octets(0x140, 32), "report_id_ma": octets(0x160, 32),
            "reported_tcb": TCB, "cpuid_fam_id": 0x19, "cpuid_mod_id": 1, "cpuid_step": 1,
            "chip_id": octets(0x1A0, 64), "committed_tcb": TCB, "current": firmware,
            "committed": firmware, "launch_tcb": TCB, "launch_mit_vector": None,
            "current_mit_vector": None,
            "signature": {"r": list(r.to_bytes(72, "little")), "s": list(s.to_bytes(72, "little"))},
        }
        chain = [("VCEK", self.vcek), ("ASK", self.ask), ("ARK", self.ark), ("CRL", self.crl)]
        return {"attestation_report": report,
                "cert_chain": [{"cert_type": kind, "data": list(der)} for kind, der in chain]}
