# SPDX-License-Identifier: Apache-2.0
"""The node's token file as it is looked at between calls: when its token ends."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from pathlib import Path

from puad.client.kept_session import stamp
from puad.client.maintenance import read_token
from puad.core.errors import ServerError
from puad.core.token import expiry_of


class TokenFile:
    """A file that is read again when it has been replaced or written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_of: Hashable = None
        self._expires_at: datetime | None = None

    def expires_at(self) -> datetime | None:
        """When its token ends, UTC; None when there is none, or it does not say so."""
        found = stamp(str(self._path))
        if found != self._read_of:
            self._read_of, self._expires_at = found, self._read()
        return self._expires_at

    def _read(self) -> datetime | None:
        try:
            return expiry_of(read_token(self._path))
        except ServerError:
            return None  # whoever reports with it says what is wrong
