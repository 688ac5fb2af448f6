# SPDX-License-Identifier: Apache-2.0
"""The folder `tls` of a data directory: the CA and the server certificate that it keeps renewing.

ca.crt       what nodes and browsers are told to trust
ca.key       its key, 0600; away from here nothing is renewed
server.pem   the server's key and certificate, 0600; one file, so that a renewal is one step
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator_stub.errors import SettingsError
from orchestrator_stub.tls import authority
from orchestrator_stub.tls.authority import Pair
from orchestrator_stub.tls.names import Names, of_this_machine
from orchestrator_stub.whole_file import write_whole

_MOST_BYTES: Final = 64 << 10
_SECRET: Final = 0o600
_PUBLIC: Final = 0o644

log = logging.getLogger(__name__)


class Certificates:
    """The certificates in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def ca_file(self) -> Path:
        """What nodes and browsers are told to trust."""
        return self._folder / "ca.crt"

    @property
    def server_file(self) -> Path:
        """What the server serves with."""
        return self._folder / "server.pem"

    @property
    def _key_file(self) -> Path:
        return self._folder / "ca.key"

    def keep(self, wanted: Names | None, now: datetime) -> None:
        """Have a server certificate of these names, and a CA when there is none.

        Args:
            wanted: The names; None for those of the certificate that is there, else the machine's.
            now: The time.

        Raises:
            SettingsError: When a file cannot be used, or the CA must not vouch for a name.
        """
        with self._told():
            if not self.ca_file.exists():
                self._found(wanted or of_this_machine(), now)
                return
            is_served = self.server_file.exists()
            served = self._read_certificate(self.server_file) if is_served else None
            has = authority.names_of(served) if served else None
            names = wanted or has or of_this_machine()
            if has is None or set(has.texts) != set(names.texts):
                self._issue(names, now)
            else:
                self.renew_if_due(now)

    def renew_if_due(self, now: datetime) -> None:
        """Renew the server certificate when it is about to end, as far as its CA's key is here."""
        with self._told():
            served = self._read_certificate(self.server_file)
            if not authority.is_due(served, now):
                return
            ends = served.not_valid_after_utc
            if not self._key_file.exists():
                reason = f"{self._key_file} is not there to renew it"
            elif ends >= self._read_certificate(self.ca_file).not_valid_after_utc:
                reason = "so does its CA: nodes and browsers need another one"
            else:
                self._issue(authority.names_of(served), now)
                return
            log.warning("the server certificate ends at %s, and %s", ends.isoformat(), reason)

    def _found(self, names: Names, now: datetime) -> None:
        self._folder.mkdir(mode=0o750, exist_ok=True)
        pair = authority.found(names, now)
        write_whole(self._key_file, _key_pem(pair), _SECRET)
        self._write_served(authority.issue(pair, names, now))
        # last, because it marks the folder as complete
        write_whole(self.ca_file, _certificate_pem(pair), _PUBLIC)
        vouched = ", ".join(names.texts)
        log.info("made a CA for %s: nodes and browsers trust %s", vouched, self.ca_file)

    def _issue(self, names: Names, now: datetime) -> None:
        issuer = Pair(self._read_certificate(self.ca_file), self._read_key())
        outside = authority.beyond(issuer.certificate, names)
        if outside:
            raise SettingsError(
                f"the CA of {self._folder} does not vouch for {', '.join(outside)}",
                hint=f"Move {self._folder} away: the next start makes another CA, whose ca.crt "
                "every node and browser needs then.",
            )
        if issuer.ends - now < authority.SERVER_LIFETIME:
            log.warning("the CA itself ends at %s: nodes need another one", issuer.ends.isoformat())
        pair = authority.issue(issuer, names, now)
        self._write_served(pair)
        log.info("made a server certificate, valid until %s", pair.ends.isoformat())

    def _write_served(self, pair: Pair) -> None:
        write_whole(self.server_file, _key_pem(pair) + _certificate_pem(pair), _SECRET)

    def _read_key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(_read(self._key_file), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{self._key_file.name} is no EC key")  # noqa: TRY004 - of the file
        return key

    def _read_certificate(self, file: Path) -> x509.Certificate:
        return x509.load_pem_x509_certificate(_read(file))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (
            OSError,
            ValueError,
            TypeError,
            UnsupportedAlgorithm,
            x509.ExtensionNotFound,
        ) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SettingsError(
                f"the certificates in {self._folder} cannot be used: {reason}",
                hint="Move the folder away: the next start makes another CA.",
            ) from error


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_MOST_BYTES)


def _certificate_pem(pair: Pair) -> bytes:
    return pair.certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(pair: Pair) -> bytes:
    return pair.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
