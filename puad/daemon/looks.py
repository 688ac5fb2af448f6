# SPDX-License-Identifier: Apache-2.0
"""The looks: when boot control is asked for the facts.

Each look wakes the bus, boot control and this process, and the bus starts a boot control that is
absent. One that ends at once, because of its configuration for example, is therefore left alone
for longer and longer until it answers.
"""

from __future__ import annotations

import time
from typing import Final

_AGAIN_S: Final = 3.0
_EVERY_S: Final = 30.0
_ABSENT_S: Final = 180.0
_AT_REST_S: Final = 600.0


class Looks:
    """Remembers when the next look is due, and whether the last one was answered."""

    def __init__(self) -> None:
        self._at = 0.0
        self._answered = False
        self._again_s = _AGAIN_S
        self._quiet_until = 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether boot control, which did not answer, is left alone for now."""
        return time.monotonic() < self._quiet_until

    def rest_s(self, now: float) -> float:
        """How long no look is due."""
        return max(self._at, self._quiet_until) - now

    def due(self, *, busy: bool) -> bool:
        """Whether to look now; if so, the next look is a pause away.

        Args:
            busy: A run is on its way, so that much may happen.
        """
        now = time.monotonic()
        if self.rest_s(now) > 0:
            return False
        self._at = now + (self._most_s(busy=busy) if self._answered else self._again_s)
        return True

    def hasten(self) -> None:
        """Something has changed: the next look comes before long."""
        self._at = min(self._at, time.monotonic() + _EVERY_S)

    def answered(self) -> None:
        """Boot control has given the facts."""
        self._answered = True
        self._again_s = _AGAIN_S
        self._quiet_until = 0.0

    def failed(self, *, busy: bool) -> None:
        """Boot control has not answered: the next look comes after a pause that grows.

        Args:
            busy: A run is on its way, so that the pause stays shorter.
        """
        self._answered = False
        most = self._most_s(busy=busy)
        self._at = self._quiet_until = time.monotonic() + min(self._again_s, most)
        self._again_s = min(2 * self._again_s, most)

    def _most_s(self, *, busy: bool) -> float:
        if busy:
            return _EVERY_S
        return _AT_REST_S if self._answered else _ABSENT_S
