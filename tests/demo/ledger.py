# SPDX-License-Identifier: Apache-2.0
"""Ledger: what each step of the demo expected and what was seen, and whether the two agree.

What was *seen* comes from the server's REST API, from os-release inside the slot, from the slot's
bytes and from the firmware's file, never from what the demo has said or remembers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.demo.narration import Narration

_CELL_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One claim of a step: held when what was seen is what was expected."""

    name: str
    expected: str
    seen: str
    seconds: float
    bytes_fetched: int

    @property
    def held(self) -> bool:
        """Whether the claim held."""
        return self.expected == self.seen


class Ledger:
    """The rows of a run, with a clock and a meter that belong to the row being written."""

    def __init__(self, meter: Callable[[], int], narration: Narration) -> None:
        self.rows: list[Row] = []
        self._meter = meter
        self.narration = narration
        self._mark()

    def _mark(self) -> None:
        self._since, self._fetched = time.monotonic(), self._meter()

    def note(self, name: str, *, expected: str, seen: str) -> None:
        """Write one row; its time and bytes are those since the row before."""
        seconds = round(time.monotonic() - self._since, 1)
        row = Row(name, expected, seen, seconds, self._meter() - self._fetched)
        self.rows.append(row)
        self._mark()
        mark = "held" if row.held else "NOT HELD"
        self.narration.say(f"{mark}: {name}: {seen if row.held else f'{seen!r}, not {expected!r}'}")

    @property
    def held(self) -> bool:
        """Whether there are claims, and every one held."""
        return bool(self.rows) and all(row.held for row in self.rows)

    def show(self) -> None:
        """The table at the end."""
        self.narration.title("What was expected and what was seen")
        rows = [
            (
                row.name,
                row.expected,
                "as expected" if row.held else f"NOT SO: {row.seen[:_CELL_CHARS]}",
                f"{row.seconds:.1f}",
                f"{row.bytes_fetched / (1 << 20):.1f}",
            )
            for row in self.rows
        ]
        self.narration.table(("step", "expected", "seen", "s", "MiB"), rows)

    def write(self, file: Path) -> None:
        """The same for a program."""
        steps = [
            {
                "name": row.name,
                "expected": row.expected,
                "seen": row.seen,
                "seconds": row.seconds,
                "bytes_fetched": row.bytes_fetched,
            }
            for row in self.rows
        ]
        file.write_text(json.dumps({"steps": steps}, indent=2) + "\n", encoding="utf-8")
