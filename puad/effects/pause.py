# SPDX-License-Identifier: Apache-2.0
"""When an install pauses, because the node has enough to do without it.

Pure; the times are the caller's.

1. It pauses while load or I/O pressure of everything else is above its bound.
2. It never pauses for longer than `pause_most_s` in a row. A node that is always busy gets its
   update all the same: from then on the install goes on for a few seconds of each half minute.
3. A row ends when the node has had little to do for two minutes: a moment of quiet now and then
   begins no new one, or such a node would hardly ever get its update.
"""

from __future__ import annotations

from typing import Final

from puad.config import PaceSettings
from puad.core.neighbours import Neighbours

_TURN_S: Final = 30.0
_WORK_S: Final = 5.0
_QUIET_S: Final = 120.0


class Pause:
    """The pauses of one install.

    Args:
        settings: The bounds.
    """

    def __init__(self, settings: PaceSettings) -> None:
        self._settings = settings
        self._since_s: float | None = None
        self._quiet_since_s: float | None = None

    def why(self, neighbours: Neighbours, now_s: float) -> str:
        """Why to pause now, in a few words; empty when there is nothing to wait for."""
        why = self._above(neighbours)
        if not why:
            self._be_quiet(now_s)
            return ""
        self._quiet_since_s = None
        if self._since_s is None:
            self._since_s = now_s
        late_s = now_s - self._since_s - self._settings.pause_most_s
        return "" if late_s >= 0 and late_s % _TURN_S < _WORK_S else why

    def _be_quiet(self, now_s: float) -> None:
        if self._quiet_since_s is None:
            self._quiet_since_s = now_s
        if now_s - self._quiet_since_s >= _QUIET_S:
            self._since_s = None

    def _above(self, neighbours: Neighbours) -> str:
        load, most_load = neighbours.load_percent, self._settings.pause_above_load_percent
        if 0 < most_load < load:
            return f"load {load / 100:.1f} above {most_load / 100:.1f}"
        pressure = neighbours.io_pressure_percent
        most_pressure = self._settings.pause_above_io_pressure_percent
        if 0 < most_pressure < pressure:
            return f"I/O pressure {pressure:.0f} % above {most_pressure} %"
        return ""
