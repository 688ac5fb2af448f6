# SPDX-License-Identifier: Apache-2.0
"""The ledger of a delta: which of its chunks came out, and which are fetched from the full file.

Chunk by chunk, a delta may fail without harm: its old image is not what was thought, or cannot be
read. Where it fails again and again it is given up, since each failure costs the delta's bytes on
top of those of the full file: after 16 failures with no success, and when more than a quarter of at
least so many have failed.
"""

from __future__ import annotations

import threading
from typing import Final

_TRIES: Final = 16
_MOST_FAILURES: Final = 1 / 4


class Ledger:
    """Shared by the stage that fetches and those that decode."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[int] = []
        self._open = 0
        self._made = 0
        self._failed = 0
        self._given_up = False

    @property
    def given_up(self) -> bool:
        """Whether the delta is not to be used any more."""
        return self._given_up

    @property
    def fallen_back(self) -> int:
        """How many chunks have failed."""
        return self._failed

    def begin(self) -> None:
        """A chunk is on its way by the delta."""
        with self._changed:
            self._open += 1

    def end(self, number: int, *, came_out: bool) -> None:
        """A chunk that was on its way has its bytes, or has failed."""
        with self._changed:
            self._open -= 1
            if came_out:
                self._made += 1
            else:
                self._failed += 1
                self._waiting.append(number)
                tried = self._made + self._failed
                if tried >= _TRIES and self._failed > tried * _MOST_FAILURES:
                    self._given_up = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """The delta cannot be had."""
        self._given_up = True

    def take(self, *, settled: bool = False) -> list[int]:
        """The chunks that have failed since the last time, in order.

        Args:
            settled: Wait until none is on its way any more.
        """
        with self._changed:
            if settled:
                self._changed.wait_for(lambda: not self._open)
            numbers, self._waiting = sorted(self._waiting), []
            return numbers
