# SPDX-License-Identifier: Apache-2.0
"""The pulse: the daemon's one timer, which beats as seldom as what is due allows.

Each wake-up costs a node power, so nothing beats every second while nothing is on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gi.repository import GLib

_LEAST_S: Final = 0.2
# The watchdog of the unit must be fed, and a clock may be set, which no timer hears of.
_MOST_S: Final = 45.0


class Pulse:
    """Calls a beat again and again in the main loop.

    Args:
        beat: What is to be done.
        rest_s: How long nothing is due, asked after each beat and each `reset`.
    """

    def __init__(self, beat: Callable[[], object], rest_s: Callable[[], float]) -> None:
        self._beat = beat
        self._rest_s = rest_s
        self._source = 0

    def reset(self) -> None:
        """Something has changed, so the next beat may be due at another time."""
        if self._source:
            GLib.source_remove(self._source)
        pause_s = min(max(self._rest_s(), _LEAST_S), _MOST_S)
        self._source = GLib.timeout_add(int(pause_s * 1000), self._on_time)

    def soon(self) -> None:
        """Beat as soon as the main loop has done what it is at: it is awake anyhow."""
        if self._source:
            GLib.source_remove(self._source)
        self._source = GLib.idle_add(self._on_time)

    def _on_time(self) -> bool:
        self._source = 0
        self._beat()
        self.reset()
        return False
