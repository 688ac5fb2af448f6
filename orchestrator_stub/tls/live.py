# SPDX-License-Identifier: Apache-2.0
"""The certificate of a running server: each handshake takes the one that lies on the disk now.

A handshake begins with a look at the files; when they have changed, what they hold is loaded as a
whole, and only then takes the place of what was served. So a renewal needs no restart, no open
connection notices it, and a file that is half written or wrong is never served.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.errors import OrchestratorError, SettingsError

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
RENEWAL_EVERY_S: Final = 3600.0
"""How often it is looked whether a certificate is about to end."""

log = logging.getLogger(__name__)


class LiveCertificate:
    """A certificate that may change while it is served.

    Args:
        certificate: Chain, PEM, with its key when that has no file of its own.
        key: Its key, PEM; None when it is in the same file.
        tls_min: The lowest version of TLS, `1.2` or `1.3`.
        renew: Renews the files when they are about to end; None when somebody else does.
        clock: Monotonic time.

    Raises:
        SettingsError: When it cannot be used now.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path | None,
        tls_min: str,
        renew: Callable[[datetime], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._version = VERSIONS[tls_min]
        self._renew = renew
        self._clock = clock
        self._renewal_at = clock() + RENEWAL_EVERY_S
        self._stamp = self._stat()
        try:
            self._current = self._load()
        except OSError as error:  # ssl.SSLError is one
            raise self._fault(error) from error
        self.context = self._current
        self.context.sni_callback = self._choose

    def _choose(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:  # noqa: ANN401 - SSLSocket or SSLObject
        self._renew_now_and_then()
        self._look()
        connection.context = self._current

    def _renew_now_and_then(self) -> None:
        if self._renew is None or self._clock() < self._renewal_at:
            return
        self._renewal_at = self._clock() + RENEWAL_EVERY_S
        try:
            self._renew(datetime.now(UTC))
        except OrchestratorError as error:
            log.error("the server certificate was not renewed: %s", error)  # noqa: TRY400 - it says it all

    def _look(self) -> None:
        stamp = self._stat()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._current = self._load()
        except OSError as error:
            log.warning(
                "the changed certificate cannot be used, the one before is still served: %s",
                error.strerror or error,
            )
        else:
            log.info("a changed certificate is served: %s", self._certificate)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._version
        # a key with a passphrase is refused; OpenSSL would ask for it at the terminal
        context.load_cert_chain(self._certificate, self._key, password="")
        return context

    def _fault(self, error: OSError) -> SettingsError:
        """What is wrong, and with which file: the library does not name it."""
        files = [path for path in (self._certificate, self._key) if path is not None]
        why, on = error.strerror or str(error), ", ".join(map(str, files))
        for path in files:
            try:
                path.open("rb").close()
            except OSError as unreadable:
                why, on = unreadable.strerror or why, str(path)
                break
        return SettingsError(
            f"the certificate or its key cannot be used: {why} ({on})",
            hint="Give PEM files that this user may read with --tls-cert and --tls-key.",
        )

    def _stat(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(file) for file in (self._certificate, self._key) if file is not None)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or written; None when it is not there."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)
