# SPDX-License-Identifier: Apache-2.0
"""Operators' passwords: hashed with Argon2, by argon2-cffi and with its parameters.

1. The parameters are the library's defaults, which follow RFC 9106. When a newer library has higher
   ones, a password is hashed anew when its operator logs in.
2. A name that nobody has costs the same work as one that somebody has.
3. A hash takes 64 MiB or more, so only a few are made at a time. A few more wait for their turn,
   and all others are told to come back: logins must not take every thread of the server.
"""

from __future__ import annotations

import contextlib
import threading
import unicodedata
from collections.abc import Iterator
from typing import Final

import argon2
from argon2.exceptions import InvalidHash, VerificationError

from orchestrator_stub.access.secret import new_secret
from orchestrator_stub.errors import Code, OrchestratorError, ThrottledError

LEAST_CHARS: Final = 12
MOST_CHARS: Final = 256
AT_ONCE: Final = 2
MOST_WAITING: Final = 8
_RETRY_AFTER_S: Final = 2


class Passwords:
    """Hashes passwords and verifies them."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._places = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._nobodys: str | None = None

    def prepare(self) -> None:
        """Make the hash that unknown names are verified against, before the first one comes."""
        if self._nobodys is None:
            self._nobodys = self.hash_of(new_secret())

    def hash_of(self, password: str) -> str:
        """What is stored of a password, its salt and the parameters among it.

        Raises:
            ThrottledError: When too many others are hashed.
        """
        with self._turn():
            return self._hasher.hash(_octets(password))

    def is_right(self, stored: str | None, password: str) -> bool:
        """Whether it is the password that was stored; None stands for a name that nobody has.

        Raises:
            ThrottledError: When too many others are verified.
        """
        self.prepare()
        with self._turn():
            try:
                self._hasher.verify(stored or self._nobodys or "", _octets(password))
            except (VerificationError, InvalidHash):
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a right password should be hashed anew, because the parameters have risen."""
        return self._hasher.check_needs_rehash(stored)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise ThrottledError("too many log in at a time", retry_after_s=_RETRY_AFTER_S)
        try:
            with self._turns:
                yield
        finally:
            self._places.release()


def check_new(password: str, name: str) -> None:
    """Refuse a new password that would be guessed.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`; the message never repeats the password.
    """
    if not LEAST_CHARS <= len(password) <= MOST_CHARS:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, f"a password has {LEAST_CHARS} to {MOST_CHARS} characters"
        )
    if len(set(password)) == 1 or not password.lower().replace(name.lower(), ""):
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            "a password is neither one character again and again nor the name",
        )


def _octets(password: str) -> bytes:
    # two keyboards may spell one character differently
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
