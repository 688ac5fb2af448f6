# SPDX-License-Identifier: Apache-2.0
"""The CA: what it makes is good for its server, for a limited time, and for nobody else."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from orchestrator_stub.tls import authority
from orchestrator_stub.tls.authority import Pair
from orchestrator_stub.tls.names import parse
from tests.unit.orchestrator_stub.tls.handshake import key_pem, pem, shake, trusting

NOW = datetime.now(UTC).replace(microsecond=0)
BOTH = parse(["orchestrator.example", "localhost", "127.0.0.1", "2001:db8::7"])


def context_of(pair: Pair, folder: Path) -> ssl.SSLContext:
    file = folder / "pair.pem"
    file.write_text(key_pem(pair) + pem(pair.certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("host", ["orchestrator.example", "localhost", "127.0.0.1", "2001:db8::7"])
def test_server_is_trusted_under_each_of_its_names(tmp_path: Path, host: str) -> None:
    ca = authority.found(BOTH, NOW)
    server = context_of(authority.issue(ca, BOTH, NOW), tmp_path)
    assert shake(server, trusting(ca.certificate), host)["version"] == 3


@pytest.mark.parametrize("host", ["other.example", "127.0.0.2", "x.orchestrator.example"])
def test_server_is_not_trusted_under_another_name(tmp_path: Path, host: str) -> None:
    ca = authority.found(BOTH, NOW)
    server = context_of(authority.issue(ca, BOTH, NOW), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, trusting(ca.certificate), host)


@pytest.mark.parametrize(
    ("vouched", "played"),
    [
        (["orchestrator.example"], "bank.example"),
        (["orchestrator.example"], "example"),
        (["orchestrator.example"], "192.0.2.9"),
        (["orchestrator.example"], "2001:db8::9"),
        (["192.0.2.7"], "bank.example"),
        (["192.0.2.7"], "192.0.2.8"),
        (["192.0.2.7"], "2001:db8::9"),
        (["orchestrator.example", "192.0.2.7"], "bank.example"),
        (["orchestrator.example", "192.0.2.7"], "192.0.2.8"),
    ],
)
def test_stolen_key_of_the_ca_plays_no_other_server(
    tmp_path: Path, vouched: list[str], played: str
) -> None:
    ca = authority.found(parse(vouched), NOW)
    server = context_of(authority.issue(ca, parse([played]), NOW), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"subtree violation"):
        shake(server, trusting(ca.certificate), played)


def test_server_certificate_makes_no_other_certificate(tmp_path: Path) -> None:
    ca = authority.found(BOTH, NOW)
    own = authority.issue(ca, BOTH, NOW)
    forged = authority.issue(own, BOTH, NOW)
    file = tmp_path / "chain.pem"
    file.write_text(key_pem(forged) + pem(forged.certificate, own.certificate))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, trusting(ca.certificate), "localhost")


def test_lifetimes_are_ten_years_and_397_days() -> None:
    ca = authority.found(BOTH, NOW)
    own = authority.issue(ca, BOTH, NOW)
    assert ca.ends - ca.certificate.not_valid_before_utc == timedelta(days=3652)
    assert own.ends - own.certificate.not_valid_before_utc == timedelta(days=397)
    assert own.certificate.not_valid_before_utc < NOW - timedelta(hours=12)


def test_server_certificate_ends_no_later_than_its_ca() -> None:
    ca = authority.found(BOTH, NOW)
    late = authority.issue(ca, BOTH, ca.ends - timedelta(days=100))
    assert late.ends == ca.ends


@pytest.mark.parametrize(("left_days", "due"), [(31, False), (30, False), (29, True), (-1, True)])
def test_certificate_is_due_30_days_ahead(left_days: int, due: bool) -> None:
    own = authority.issue(authority.found(BOTH, NOW), BOTH, NOW)
    assert authority.is_due(own.certificate, own.ends - timedelta(days=left_days)) is due


def test_certificate_says_what_it_is_for() -> None:
    ca = authority.found(BOTH, NOW)
    own = authority.issue(ca, BOTH, NOW)
    purpose = own.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert authority.names_of(own.certificate) == BOTH
    usage = ca.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign


def test_two_cas_have_different_names_and_keys() -> None:
    first, second = (authority.found(BOTH, NOW) for _ in range(2))
    assert first.certificate.subject != second.certificate.subject
    assert first.key.private_numbers() != second.key.private_numbers()


def test_names_beyond_a_ca_are_told() -> None:
    ca = authority.found(parse(["orchestrator.example", "192.0.2.7"]), NOW).certificate
    within = parse(["orchestrator.example", "north.orchestrator.example", "192.0.2.7"])
    assert authority.beyond(ca, within) == []
    outside = parse(["example", "xorchestrator.example", "192.0.2.8", "::1"])
    assert authority.beyond(ca, outside) == list(outside.texts)
    lone = authority.found(parse(["192.0.2.7"]), NOW).certificate
    assert authority.beyond(lone, parse(["localhost", "192.0.2.7"])) == ["localhost"]


def test_pair_never_shows_its_key() -> None:
    assert "key" not in repr(authority.found(BOTH, NOW)).partition("certificate=")[2].lower()
