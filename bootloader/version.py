# SPDX-License-Identifier: Apache-2.0
"""The order of versions, for the version floor.

It is the order of the UAPI version format, as puad and the server use it; boot control imports
nothing of theirs, so it has its own few lines, and a test holds the two against each other. A
version is a row of marks `~ - ^ .`, words and numbers, compared piece by piece; from the lowest to
the highest a piece is `~`, the end, `-`, `^`, `.`, a word, a number.
"""

from __future__ import annotations

import re
from typing import Final

_PIECE: Final = re.compile(r"[~^.-]|[A-Za-z]+|[0-9]+")
_MARKS: Final = {"~": 0, "-": 2, "^": 3, ".": 4}
_END: Final = (1, 0, "")


def compare_versions(a: str, b: str) -> int:
    """-1 when `a` is older than `b`, 1 when it is newer, 0 when they mean the same."""
    key_a, key_b = _key(a), _key(b)
    return (key_a > key_b) - (key_a < key_b)


def _key(version: str) -> tuple[tuple[int, int, str], ...]:
    return (*(_rank(piece) for piece in _PIECE.findall(version)), _END)


def _rank(piece: str) -> tuple[int, int, str]:
    if piece in _MARKS:
        return (_MARKS[piece], 0, "")
    if piece[0].isdigit():
        digits = piece.lstrip("0")  # longer is greater: int() refuses very long numbers
        return (6, len(digits), digits)
    return (5, 0, piece)
