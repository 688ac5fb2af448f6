# SPDX-License-Identifier: Apache-2.0
"""The folder of certificates: made once, renewed in time, and never silently replaced."""

from __future__ import annotations

import logging
import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator_stub.errors import SettingsError
from orchestrator_stub.tls.authority import SERVER_LIFETIME
from orchestrator_stub.tls.certificates import Certificates
from orchestrator_stub.tls.live import LiveCertificate
from orchestrator_stub.tls.names import parse
from tests.unit.orchestrator_stub.tls.handshake import shake, trusting

NOW = datetime.now(UTC)
NAMES = parse(["localhost", "127.0.0.1"])
ALMOST_OVER = NOW - SERVER_LIFETIME + timedelta(days=25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tls"


@pytest.fixture
def certificates(folder: Path) -> Certificates:
    made = Certificates(folder)
    made.keep(NAMES, NOW)
    return made


def serial(certificates: Certificates, host: str = "localhost") -> str:
    """The serial number of what is served, as a client sees it that trusts only the CA."""
    live = LiveCertificate(certificates.server_file, None, "1.3")
    ca = certificates.ca_file.read_text()
    return str(shake(live.context, trusting(ca), host)["serialNumber"])


def test_new_folder_has_a_ca_and_keys_that_only_their_owner_reads(
    certificates: Certificates, folder: Path
) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.pem": 0o600}
    assert "PRIVATE" not in certificates.ca_file.read_text()


def test_modes_hold_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        Certificates(folder).keep(NAMES, NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "server.pem").stat().st_mode) == 0o600


def test_keeping_what_is_good_changes_nothing(certificates: Certificates, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for names in (NAMES, None, parse(["127.0.0.1", "LOCALHOST"])):
        certificates.keep(names, NOW)
        certificates.renew_if_due(NOW + timedelta(days=300))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_certificate_that_is_almost_over_is_renewed_by_the_same_ca(folder: Path) -> None:
    certificates = Certificates(folder)
    certificates.keep(NAMES, ALMOST_OVER)
    ca, old = certificates.ca_file.read_bytes(), serial(certificates)
    certificates.renew_if_due(NOW)
    assert certificates.ca_file.read_bytes() == ca
    assert serial(certificates) != old
    assert stat.S_IMODE(certificates.server_file.stat().st_mode) == 0o600


def test_start_renews_as_well(folder: Path) -> None:
    certificates = Certificates(folder)
    certificates.keep(NAMES, ALMOST_OVER)
    old = serial(certificates)
    certificates.keep(NAMES, NOW)
    assert serial(certificates) != old


def test_name_that_the_ca_permits_is_taken_up(folder: Path) -> None:
    certificates = Certificates(folder)
    certificates.keep(NAMES, NOW)
    certificates.keep(parse(["127.0.0.1"]), NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        serial(certificates, "localhost")
    certificates.keep(parse(["localhost"]), NOW)
    assert serial(certificates, "localhost")


def test_name_that_the_ca_does_not_permit_is_refused_with_what_to_do(
    certificates: Certificates, folder: Path
) -> None:
    before = certificates.server_file.read_bytes()
    with pytest.raises(SettingsError) as caught:
        certificates.keep(parse(["localhost", "other.example"]), NOW)
    assert "other.example" in str(caught.value)
    assert "Move" in caught.value.hint
    assert certificates.server_file.read_bytes() == before
    folder.rename(folder.with_name("old"))
    certificates.keep(parse(["localhost", "other.example"]), NOW)
    assert serial(certificates, "other.example")


def test_key_of_the_ca_may_be_kept_elsewhere_until_a_renewal_is_due(
    certificates: Certificates, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "ca.key").unlink()
    old = serial(certificates)
    certificates.keep(NAMES, NOW)
    assert not caplog.records
    certificates.keep(NAMES, NOW + SERVER_LIFETIME)
    assert "ca.key is not there" in caplog.text
    assert serial(certificates) == old


def test_ca_that_is_almost_over_is_told_and_not_renewed_for_ever(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(folder)
    certificates.keep(NAMES, NOW - timedelta(days=3640))
    certificates.renew_if_due(NOW)
    assert "the CA itself ends" in caplog.text
    renewed = certificates.server_file.read_bytes()
    certificates.renew_if_due(NOW)
    assert certificates.server_file.read_bytes() == renewed
    assert "so does its CA" in caplog.text


def test_lost_server_certificate_is_made_again(certificates: Certificates) -> None:
    certificates.server_file.unlink()
    certificates.keep(NAMES, NOW)
    assert serial(certificates)


def test_cut_before_the_ca_is_there_is_begun_anew(certificates: Certificates, folder: Path) -> None:
    certificates.ca_file.unlink()
    certificates.keep(NAMES, NOW)
    assert serial(certificates)
    assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "ca.key", "server.pem"]


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "server.pem"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100_000])
def test_damaged_file_is_a_settings_error(folder: Path, name: str, content: bytes) -> None:
    certificates = Certificates(folder)
    certificates.keep(NAMES, ALMOST_OVER)
    (folder / name).write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        certificates.keep(NAMES, NOW)
    assert "Move the folder away" in caught.value.hint


def test_no_key_is_ever_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    certificates = Certificates(folder)
    certificates.keep(NAMES, ALMOST_OVER)
    certificates.renew_if_due(NOW)
    assert "made a CA" in caplog.text
    assert "made a server certificate" in caplog.text
    secrets = [*(folder / "ca.key").read_text().splitlines()[1:-1]]
    assert not [line for line in secrets if line in caplog.text]
