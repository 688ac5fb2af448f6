# SPDX-License-Identifier: Apache-2.0
"""Authority: a CA and the orchestrator's certificate, for the address that the node knows."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Authority:
    """Files, PEM: the CA's certificate, the server's certificate and its key."""

    folder: Path

    @property
    def ca(self) -> Path:
        """What nodes and clients trust."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        """The server's key."""
        return self.folder / "server.key"


def make_authority(folder: Path, addresses: tuple[str, ...]) -> Authority:
    """A new CA and one certificate for these addresses, valid for a month."""
    folder.mkdir(parents=True)
    made = Authority(folder)
    ca_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name, own_name = _name("test CA"), _name("test orchestrator")
    ips = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    # Python 3.13 takes nothing that lacks what RFC 5280 asks for.
    issuer_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = _builder(ca_name, ca_name, ca_key).add_extension(usage, critical=True)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    ca = ca.add_extension(issuer_id, critical=False)
    of_issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id)
    own = _builder(own_name, ca_name, own_key).add_extension(of_issuer, critical=False)
    own = own.add_extension(x509.SubjectAlternativeName(ips), critical=False)
    for file, builder in ((made.ca, ca), (made.certificate, own)):
        signed = builder.sign(ca_key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        own_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    made.key.chmod(0o600)
    return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    # a node without a clock judges at the build time of its image
    builder = builder.not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    return builder.not_valid_after(now + dt.timedelta(days=30))
