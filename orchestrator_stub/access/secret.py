# SPDX-License-Identifier: Apache-2.0
"""Secrets that a caller keeps: 256 random bits each, of which only the SHA-256 is stored.

They are too long to be guessed, so a fast hash is enough, and a stolen database opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

_BYTES: Final = 32


def new_secret(prefix: str = "") -> str:
    """A fresh secret, fit for a header and a cookie."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256, 64 hex digits."""
    return hashlib.sha256(_octets(secret)).hexdigest()


def is_same(presented: str, expected: str) -> bool:
    """Whether two secrets are equal, found out in a time that does not tell where they differ."""
    return hmac.compare_digest(_octets(presented), _octets(expected))


def _octets(secret: str) -> bytes:
    return secret.encode(errors="surrogatepass")
