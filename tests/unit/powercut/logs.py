# SPDX-License-Identifier: Apache-2.0
"""Write logs made byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tests.powercut.write_log import FLUSH, MAGIC, SECTOR

Entry = tuple[int, int, int, bytes]
"""Sector, sectors (0 for as many as there are data), flags, data."""


def write(sector: int, data: bytes, flags: int = 0) -> Entry:
    return sector, 0, flags, data


def flush() -> Entry:
    return 0, 0, FLUSH, b""


def log_bytes(
    items: Sequence[Entry],
    *,
    magic: int = MAGIC,
    version: int = 1,
    sector: int = SECTOR,
    entries: int | None = None,
) -> bytes:
    """The log of these requests."""
    count = len(items) if entries is None else entries
    out = struct.pack("<QQQI", magic, version, count, sector).ljust(sector, b"\0")
    for start, sectors, flags, data in items:
        length = sectors or len(data) // sector
        out += struct.pack("<QQQQ", start, length, flags, 0).ljust(sector, b"\0")
        out += data
    return out
