# SPDX-License-Identifier: Apache-2.0
"""A session that is kept from one call to the next, so that a poll needs no new handshake.

It is given up when what it was made from has changed, when it is old, and by whoever had trouble
with it: a certificate is judged only when a connection begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from pathlib import Path

import requests


class KeptSession:
    """One session for many calls of one thread.

    Args:
        make: Makes a session.
        basis: What it is made from; another answer asks for another session.
        most_age_s: How long one is kept.
    """

    def __init__(
        self,
        make: Callable[[], requests.Session],
        basis: Callable[[], Hashable],
        most_age_s: float,
    ) -> None:
        self._make = make
        self._basis = basis
        self._most_age_s = most_age_s
        self._session: requests.Session | None = None
        self._made_from: Hashable = None
        self._until = 0.0

    def session(self) -> tuple[requests.Session, bool]:
        """The session, and whether an earlier call has used it.

        Raises:
            ConfigError: The session cannot be made.
        """
        basis = self._basis()
        if self._session is not None:
            if basis == self._made_from and time.monotonic() < self._until:
                return self._session, True
            self.drop()
        self._session = self._make()
        self._made_from, self._until = basis, time.monotonic() + self._most_age_s
        return self._session, False

    def drop(self) -> None:
        """Close it; the next call makes another."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def stamp(path: str) -> Hashable:
    """What changes when a file is replaced or written; None when it is not there or has no name."""
    try:
        status = Path(path).stat() if path else None
    except OSError:
        return None
    return status and (status.st_ino, status.st_mtime_ns, status.st_size)
