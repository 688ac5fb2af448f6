# SPDX-License-Identifier: Apache-2.0
"""Text that somebody else wrote, made fit for a terminal, a journal, the bus and a document."""

from __future__ import annotations


def printable(text: str, *, kept: str = "") -> str:
    """The text with U+FFFD in place of each character that cannot be printed.

    Args:
        text: What somebody else wrote.
        kept: Characters that stay although they cannot be printed, such as line ends.
    """
    return "".join(
        char if char.isprintable() or char in kept else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def printable_line(text: str, most: int) -> str:
    """The same on one line, its white space folded, and cut.

    Args:
        text: What somebody else wrote.
        most: Characters to keep.
    """
    return printable(" ".join(text.split()))[:most]
