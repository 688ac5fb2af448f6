# SPDX-License-Identifier: Apache-2.0
"""Narration: what the demo tells the person who watches, one short line at a time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence


class Narration:
    """Lines on the terminal, each with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._bold = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")

    def title(self, text: str) -> None:
        """A new chapter."""
        on, off = self._bold
        self.plain(f"\n{on}{text}{off}")

    def say(self, text: str) -> None:
        """One event."""
        self.plain(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def plain(self, text: str) -> None:
        """Text as it is."""
        with self._lock:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under a head, in columns."""
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        for row in (head, ["-" * width for width in widths], *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.plain(line.rstrip())
