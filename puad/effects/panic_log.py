# SPDX-License-Identifier: Apache-2.0
"""The kernel's last words, put together from the pieces in which pstore keeps them.

systemd-pstore logs each piece with its name, `dmesg-BACKEND-NUMBER`, and its content. The number is
(time x 100 + part) x 1000 + count, and the highest part is the oldest text. A piece begins with a
line such as `Panic#1 Part2`; what is no panic and no oops is left out.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"PStore dmesg-\S*-(\d{1,24})\b")
_HEAD: Final = re.compile(r"(Panic|Oops)#\d+ Part(\d+)")
_LEVEL: Final = re.compile(r"^<\d{1,3}>")
_PANIC: Final = "Kernel panic"
_END: Final = "---[ end Kernel panic"
_BEHIND: Final = 3
_PIECES_OF_A_TIME: Final = 100_000
_MOST_PIECES: Final = 128
_MOST_PIECE_CHARS: Final = 64 << 10


class PanicLog:
    """Pieces of kernel logs; the last panic of all of them is told."""

    def __init__(self) -> None:
        self._pieces: dict[int, dict[int, str]] = {}

    def add(self, message: str, content: str) -> None:
        """Take in one piece, if it is one."""
        head, _, body = content[:_MOST_PIECE_CHARS].partition("\n")
        name, kind = _NAME.search(message), _HEAD.match(head)
        if name is None or kind is None:
            return
        group = self._pieces.setdefault(int(name[1]) // _PIECES_OF_A_TIME, {})
        if len(group) < _MOST_PIECES:
            group[int(kind[2])] = body

    def lines(self, most: int) -> list[str]:
        """The last lines up to the panic, and a few behind it."""
        if not self._pieces:
            return []
        group = self._pieces[max(self._pieces)]
        text = "\n".join(group[part].strip("\n") for part in sorted(group, reverse=True))
        lines = [_LEVEL.sub("", line) for line in text.splitlines()]
        panics = [n for n, line in enumerate(lines) if _PANIC in line and _END not in line]
        if panics:
            lines = lines[: panics[-1] + 1 + _BEHIND]
        return lines[-most:]
