# SPDX-License-Identifier: Apache-2.0
"""The bearer token of an `Authorization` header (RFC 6750)."""

from __future__ import annotations


def token_of(authorization: str | None) -> str:
    """The token that a header presents; empty when it presents none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
