# SPDX-License-Identifier: Apache-2.0
"""The one order of versions, for node and server.

It is the order of the UAPI version format
(https://uapi-group.org/specifications/specs/version_format_specification/), the same that
`systemd-analyze compare-versions` and systemd-boot use for an IMAGE_VERSION. Rules:

1. A version is read as a row of marks `~ - ^ .`, words of letters, and numbers. Any other
   character only divides what stands beside it.
2. The rows are compared piece by piece. From the lowest to the highest a piece is: `~`, the end
   of the version, `-`, `^`, `.`, a word, a number.
3. Numbers are compared as numbers, whatever their leading zeros: `3.0.20250717.1000` is newer
   than `3.0.20250717.0732`, which upstream's order gets wrong (protocol.md §3a).
4. Words are compared letter by letter, capitals first.

So `1.0~rc1` < `1.0` < `1.0-1` < `1.0^1` < `1.0.1` < `1.1`. Any two strings can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

VersionKey = tuple[tuple[int, int, str], ...]

_PIECE: Final = re.compile(r"[~^.-]|[A-Za-z]+|[0-9]+")
_MARKS: Final = {"~": 0, "-": 2, "^": 3, ".": 4}
_END: Final = (1, 0, "")
_WORD_RANK: Final = 5
_NUMBER_RANK: Final = 6


def version_key(version: str) -> VersionKey:
    """A sort key: greater for a newer version, equal for versions that mean the same."""
    return (*(_rank(piece) for piece in _PIECE.findall(version)), _END)


def compare_versions(a: str, b: str) -> int:
    """-1 when `a` is older than `b`, 1 when it is newer, 0 when they mean the same."""
    key_a, key_b = version_key(a), version_key(b)
    return (key_a > key_b) - (key_a < key_b)


def newest(versions: Iterable[str]) -> str | None:
    """The newest of some versions; of two that mean the same, the greater string."""
    return max(versions, key=lambda version: (version_key(version), version), default=None)


def _rank(piece: str) -> tuple[int, int, str]:
    if piece in _MARKS:
        return (_MARKS[piece], 0, "")
    if piece[0].isdigit():
        # Compared by length, then digit by digit: int() refuses very long numbers.
        digits = piece.lstrip("0")
        return (_NUMBER_RANK, len(digits), digits)
    return (_WORD_RANK, 0, piece)
