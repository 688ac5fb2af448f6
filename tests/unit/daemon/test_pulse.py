# SPDX-License-Identifier: Apache-2.0
"""The pulse: it beats when something is due, and soon when it is told to."""

from __future__ import annotations

import pytest
from gi.repository import GLib

from puad.daemon import pulse as pulse_module
from puad.daemon.pulse import Pulse

LATER_S = 3600.0


class Bench:
    """A pulse, how often it has beaten, and when it is to beat next."""

    def __init__(self) -> None:
        self.beats = 0
        self.rest_s = LATER_S
        self.pulse = Pulse(self._beat, lambda: self.rest_s)

    def _beat(self) -> None:
        self.beats += 1

    def run_until(self, beats: int) -> None:
        while self.beats < beats:
            GLib.MainContext.default().iteration(True)


def test_soon_beats_once_without_waiting_for_what_is_due() -> None:
    bench = Bench()
    bench.pulse.reset()
    bench.pulse.soon()
    bench.pulse.soon()
    bench.run_until(1)
    while GLib.MainContext.default().iteration(False):
        continue
    assert bench.beats == 1


def test_beat_is_followed_by_the_next_when_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_module, "_LEAST_S", 0.01)
    bench = Bench()
    bench.rest_s = -1.0
    bench.pulse.reset()
    bench.run_until(3)
    bench.rest_s = LATER_S
    bench.pulse.reset()
