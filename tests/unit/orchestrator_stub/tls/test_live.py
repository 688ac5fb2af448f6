# SPDX-License-Identifier: Apache-2.0
"""A certificate that changes while it is served: each handshake has the one that is good now."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from orchestrator_stub.errors import OrchestratorError, SettingsError
from orchestrator_stub.tls import authority
from orchestrator_stub.tls.authority import Pair
from orchestrator_stub.tls.live import RENEWAL_EVERY_S, LiveCertificate
from orchestrator_stub.tls.names import parse
from tests.unit.orchestrator_stub.access.given import Clock
from tests.unit.orchestrator_stub.tls.handshake import key_pem, pem, shake, trusting

NOW = datetime.now(UTC)
NAMES = parse(["localhost"])
CA = authority.found(NAMES, NOW)


class Files:
    """A certificate and its key, in two files, that somebody replaces."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.replace()

    def replace(self) -> x509.Certificate:
        pair = self.replace_certificate()
        self.replace_key(pair)
        return pair.certificate

    def replace_certificate(self) -> Pair:
        pair = authority.issue(CA, NAMES, NOW)
        self._swap(self.certificate, pem(pair.certificate))
        return pair

    def replace_key(self, pair: Pair) -> None:
        self._swap(self.key, key_pem(pair))

    def _swap(self, file: Path, text: str) -> None:
        new = file.with_suffix(".new")
        new.write_text(text)
        new.replace(file)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def served(live: LiveCertificate) -> int:
    return int(shake(live.context, trusting(CA.certificate), "localhost")["serialNumber"], 16)


def test_handshake_takes_what_lies_on_the_disk_now(files: Files) -> None:
    live = LiveCertificate(files.certificate, files.key, "1.3")
    for _ in range(3):
        certificate = files.replace()
        assert served(live) == certificate.serial_number


def test_client_that_names_no_server_is_served_the_new_one_as_well(files: Files) -> None:
    live = LiveCertificate(files.certificate, files.key, "1.3")
    certificate = files.replace()
    client = trusting(CA.certificate)
    client.check_hostname = False
    assert int(shake(live.context, client, None)["serialNumber"], 16) == certificate.serial_number


def test_certificate_without_its_key_is_not_served(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    first = files.replace()
    live = LiveCertificate(files.certificate, files.key, "1.3")
    pair = files.replace_certificate()
    assert [served(live) for _ in range(3)] == [first.serial_number] * 3
    assert len(caplog.records) == 1, "told once for each change"
    assert "the one before is still served" in caplog.text
    files.replace_key(pair)
    assert served(live) == pair.certificate.serial_number


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff" * 1000])
def test_half_a_file_is_not_served(files: Files, content: bytes) -> None:
    first = files.replace()
    live = LiveCertificate(files.certificate, files.key, "1.3")
    files.certificate.write_bytes(content)
    assert served(live) == first.serial_number


def test_file_that_is_gone_is_served_on_from_memory(files: Files) -> None:
    first = files.replace()
    live = LiveCertificate(files.certificate, files.key, "1.3")
    files.certificate.unlink()
    assert served(live) == first.serial_number
    back = files.replace()
    assert served(live) == back.serial_number


def test_key_with_a_passphrase_is_refused_and_nobody_is_asked(files: Files) -> None:
    pair = files.replace_certificate()
    files.key.write_bytes(
        pair.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(SettingsError, match="the certificate or its key cannot be used"):
        LiveCertificate(files.certificate, files.key, "1.3")


@pytest.mark.parametrize(
    ("tls_min", "highest", "works"),
    [
        ("1.3", ssl.TLSVersion.TLSv1_3, True),
        ("1.3", ssl.TLSVersion.TLSv1_2, False),
        ("1.2", ssl.TLSVersion.TLSv1_2, True),
    ],
)
def test_lowest_version_holds_after_a_change_as_well(
    files: Files, tls_min: str, highest: ssl.TLSVersion, works: bool
) -> None:
    live = LiveCertificate(files.certificate, files.key, tls_min)
    client = trusting(CA.certificate)
    client.maximum_version = highest
    for _ in range(2):
        files.replace()
        if works:
            assert shake(live.context, client, "localhost")
        else:
            with pytest.raises(ssl.SSLError):
                shake(live.context, client, "localhost")


def test_renewal_is_looked_for_once_an_hour_and_served_at_once(files: Files) -> None:
    clock, renewals = Clock(), list[datetime]()

    def renew(now: datetime) -> None:
        renewals.append(now)
        files.replace()

    first = files.replace()
    live = LiveCertificate(files.certificate, files.key, "1.3", renew, clock)
    assert served(live) == first.serial_number
    clock.now += RENEWAL_EVERY_S
    assert served(live) != first.serial_number
    served(live)
    (at,) = renewals
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=10)
    clock.now += RENEWAL_EVERY_S
    served(live)
    assert len(renewals) == 2


def test_renewal_that_fails_is_told_and_ends_no_handshake(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    def renew(_now: datetime) -> None:
        raise SettingsError("the disk is full")

    clock = Clock()
    live = LiveCertificate(files.certificate, files.key, "1.3", renew, clock)
    clock.now += RENEWAL_EVERY_S
    assert served(live)
    assert "was not renewed: the disk is full" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


def test_certificate_that_cannot_be_used_at_the_start_ends_it(tmp_path: Path) -> None:
    with pytest.raises(OrchestratorError, match="No such file"):
        LiveCertificate(tmp_path / "absent", None, "1.3")
