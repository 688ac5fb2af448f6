# SPDX-License-Identifier: Apache-2.0
"""Somebody else's words as one short line, for logs, terminals and the kernel. Pure."""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 200
_LOOKED_AT: Final = 4


def one_line(text: str, most: int = MAX_LINE) -> str:
    """The text, printable, on one line and cut; never a refusal, for a reason stops no reboot."""
    begin = text[: _LOOKED_AT * most]
    printable = "".join(char if char.isprintable() else " " for char in begin)
    line = " ".join(printable.split())
    if len(line) > most or len(text) > len(begin):
        line = f"{line[: most - 1]}…"
    return line or "no reason given"
