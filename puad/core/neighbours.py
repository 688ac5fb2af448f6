# SPDX-License-Identifier: Apache-2.0
"""The neighbours: what everything else on this node asks of it while an install goes on.

The kernel's figures are those of the whole node, and the install is part of it: its own share is
taken out, or it would wait for itself. Pure arithmetic over readings (`puad.effects.machine`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MINUTE_S: Final = 60.0  # over which the kernel averages the first of its load averages
_PRESSURE_S: Final = 10.0
_QUIET_BYTES_S: Final = 256 << 10  # a disk is at rest while no more is read from it
_NOTICED_BYTES: Final = 256 << 10  # beyond that; the start of a program may read so much
_KEPT_IN_MIND_S: Final = 3.0  # how long readers that have stopped count at most
_OWN_SHARE: Final = 8  # own reads are counted at another moment than the disk's: so much is unsure


@dataclass(frozen=True, slots=True)
class Reading:
    """What the kernel says of the node and of this process; None where it says nothing.

    Attributes:
        at_s: When, of the monotonic clock.
        processors: How many there are.
        load: The load average of the last minute.
        own_cpu_s: Processor time that this process has used.
        stall_s: Time in which anything has waited for a disk.
        own_stall_s: Time in which this service has.
        read_bytes: What was read from all disks.
        own_read_bytes: What this process has read from them.
    """

    at_s: float
    processors: int = 1
    load: float | None = None
    own_cpu_s: float = 0.0
    stall_s: float | None = None
    own_stall_s: float | None = None
    read_bytes: int | None = None
    own_read_bytes: int | None = None


class Neighbours:
    """Everything else on the node, as far as two readings and what came before them tell.

    Attributes:
        load_percent: Their load average, in percent of the processors.
        io_pressure_percent: How much of the time one of them waits for a disk.
        read_disks: Whether they read from a disk, or did so a moment ago.
    """

    def __init__(self, first: Reading) -> None:
        self._last = first
        self._own_load = 0.0
        self._read_beyond = 0.0
        self.read_disks = False
        self.io_pressure_percent = 0.0
        self.load_percent = 0.0
        self._take_load(first)

    def saw(self, now: Reading) -> None:
        """Take in the next reading."""
        last, self._last = self._last, now
        span_s = now.at_s - last.at_s
        if span_s <= 0:
            return
        own_stall_s = _grown(last.own_stall_s, now.own_stall_s) or 0.0
        own = (now.own_cpu_s - last.own_cpu_s + own_stall_s) / span_s
        self._own_load += (own - self._own_load) * _weight(span_s, _MINUTE_S)
        self._take_load(now)
        pressure = 100 * _of_others(
            _grown(last.stall_s, now.stall_s), _grown(last.own_stall_s, now.own_stall_s)
        )
        step = pressure / span_s - self.io_pressure_percent
        self.io_pressure_percent += step * _weight(span_s, _PRESSURE_S)
        self._take_reads(last, now, span_s)

    def _take_reads(self, last: Reading, now: Reading, span_s: float) -> None:
        """A bucket that leaks what a disk at rest may see: who reads more makes it run over."""
        own = _grown(last.own_read_bytes, now.own_read_bytes)
        read = _of_others(_grown(last.read_bytes, now.read_bytes), own)
        beyond = self._read_beyond + read - (own or 0) / _OWN_SHARE - _QUIET_BYTES_S * span_s
        self._read_beyond = min(max(0.0, beyond), _QUIET_BYTES_S * _KEPT_IN_MIND_S)
        self.read_disks = self._read_beyond > (0 if self.read_disks else _NOTICED_BYTES)

    def _take_load(self, now: Reading) -> None:
        others = max(0.0, (now.load or 0.0) - self._own_load)
        self.load_percent = 100 * others / now.processors


def _weight(span_s: float, over_s: float) -> float:
    """What a new value weighs in an exponential average, as the kernel takes it."""
    return 1 - math.exp(-span_s / over_s)


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _of_others(whole: float | None, own: float | None) -> float:
    """What is left without the own share; nothing where one of them is not known."""
    return 0.0 if whole is None or own is None else max(0.0, whole - own)
