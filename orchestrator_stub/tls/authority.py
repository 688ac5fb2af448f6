# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's own CA: it vouches for one server, and can vouch for nothing else.

Nodes and browsers are told to trust it, so its certificate is constrained to the names that it was
made for: whoever steals its key can play this server, but no other site. Keys are EC P-256, which
every TLS library takes. Certificates begin a day before they are made, because clocks differ.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from orchestrator_stub.tls.names import Names, parse

AUTHORITY_LIFETIME: Final = timedelta(days=3652)
SERVER_LIFETIME: Final = timedelta(days=397)  # browsers take no longer one
RENEWED_BEFORE: Final = timedelta(days=30)
_CLOCKS_DIFFER: Final = timedelta(days=1)
_NO_DNS_NAME: Final = "invalid"  # a domain that nobody can have, RFC 6761
_NO_ADDRESS: Final = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def ends(self) -> datetime:
        """When the certificate ends."""
        return self.certificate.not_valid_after_utc


def found(names: Names, now: datetime) -> Pair:
    """A new CA for a server of these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    # no two CAs have the same name, so that none is taken for another one
    subject = _subject(f"puad orchestrator CA {secrets.token_hex(4)}")
    begins = now - _CLOCKS_DIFFER
    builder = _builder(subject, subject, key, begins, begins + AUTHORITY_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(of_authority=True), critical=True)
    builder = builder.add_extension(_constraints(names), critical=True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def issue(authority: Pair, names: Names, now: datetime) -> Pair:
    """A new server certificate; it ends no later than its CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    begins = now - _CLOCKS_DIFFER
    ends = min(begins + SERVER_LIFETIME, authority.ends)
    issuer = authority.certificate
    builder = _builder(_subject("puad orchestrator"), issuer.subject, key, begins, ends)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(of_authority=False), critical=True)
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(purpose, critical=False)
    of_issuer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_issuer)
    builder = builder.add_extension(known, critical=False)
    alternatives = [
        *map(x509.DNSName, names.dns),
        *map(x509.IPAddress, names.addresses),
    ]
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def names_of(certificate: x509.Certificate) -> Names:
    """What a server certificate vouches for."""
    found_names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = found_names.get_values_for_type(x509.IPAddress)
    return parse((*found_names.get_values_for_type(x509.DNSName), *map(str, addresses)))


def beyond(authority: x509.Certificate, names: Names) -> list[str]:
    """The names that a CA must not vouch for."""
    permitted = (
        authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
        or []
    )
    dns = {row.value for row in permitted if isinstance(row, x509.DNSName)}
    networks = [row.value for row in permitted if isinstance(row.value, IPv4Network | IPv6Network)]
    return [
        *(name for name in names.dns if not _within(name, dns)),
        *(str(each) for each in names.addresses if not any(each in net for net in networks)),
    ]


def is_due(served: x509.Certificate, now: datetime) -> bool:
    """Whether a server certificate has to be renewed."""
    return served.not_valid_after_utc - now < RENEWED_BEFORE


def _within(name: str, domains: set[str]) -> bool:
    labels = name.split(".")
    return any(".".join(labels[skipped:]) in domains for skipped in range(len(labels)))


def _constraints(names: Names) -> x509.NameConstraints:
    permitted: list[x509.GeneralName] = [
        x509.DNSName(name) for name in names.dns or (_NO_DNS_NAME,)
    ]
    permitted += [
        x509.IPAddress(ip_network(f"{address}/{address.max_prefixlen}"))
        for address in names.addresses
    ]
    none: list[x509.GeneralName] = [x509.IPAddress(ip_network(each)) for each in _NO_ADDRESS]
    return x509.NameConstraints(permitted, None if names.addresses else none)


def _subject(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, of_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_authority,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
