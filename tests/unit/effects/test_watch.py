# SPDX-License-Identifier: Apache-2.0
"""What the watch shows of an install, and how it holds it up."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from puad.config import PaceSettings
from puad.core.errors import Code, OperatorError
from puad.core.neighbours import Reading
from puad.download.bandwidth import Bandwidth
from puad.effects.pace import Pace
from puad.effects.watch import Progress, Watch
from tests.unit.download.still_clock import StillClock

MIB = 1 << 20


class Shown:
    """A watch on a clock of its own, and what it has shown."""

    def __init__(self, settings: PaceSettings | None = None, load: float = 0.0) -> None:
        self.clock = StillClock()
        self.load = load
        self.told: list[Progress] = []
        self.bandwidth = Bandwidth()
        self.watch = Watch(self.clock.now_s)
        self.watch.listener = self.told.append
        pace = Pace(
            settings or PaceSettings(), self._read, now_s=self.clock.now_s, wait=self.clock.wait
        )
        self.watch.begin(pace, self.bandwidth)

    def _read(self) -> Reading:
        return Reading(self.clock.now_s(), load=self.load)

    def fetch(self, chunks: int, each_s: float) -> None:
        for done in range(chunks + 1):
            self.watch.show(Progress("fetch", done * MIB, 100 * MIB))
            self.clock.wait(each_s)


def test_progress_tells_rate_time_left_and_what_was_fetched() -> None:
    shown = Shown()
    shown.bandwidth.took(7 * MIB)
    shown.fetch(20, 0.5)
    assert shown.watch.progress == Progress("fetch", 20 * MIB, 100 * MIB, 2 * MIB, 40, 7 * MIB)
    assert shown.told[-1] == shown.watch.progress
    assert shown.told[0] == Progress("fetch", 0, 100 * MIB, fetched_bytes=7 * MIB)


def test_next_phase_has_a_rate_of_its_own() -> None:
    shown = Shown()
    shown.fetch(20, 0.5)
    shown.watch.show(Progress("seal", 0, 100 * MIB))
    assert (shown.watch.progress.bytes_s, shown.watch.progress.left_s) == (None, None)
    shown.watch.show(Progress())
    assert shown.watch.progress == Progress()


def test_next_install_has_fetched_nothing_yet() -> None:
    shown = Shown()
    shown.bandwidth.took(7 * MIB)
    shown.fetch(1, 0)
    shown.watch.begin(Pace(PaceSettings(), shown._read), Bandwidth())
    shown.fetch(1, 0)
    assert shown.watch.progress.fetched_bytes == 0


def test_bytes_that_were_there_before_the_first_chunk_are_not_held_against_the_pace() -> None:
    shown = Shown(PaceSettings(write_bytes_s=MIB))
    shown.watch.show(Progress("fetch", 50 * MIB, 100 * MIB))
    assert sum(shown.clock.waits) == 0
    shown.watch.show(Progress("fetch", 60 * MIB, 100 * MIB))
    assert sum(shown.clock.waits) == pytest.approx(10, abs=0.2)


def test_pause_is_shown_while_it_lasts() -> None:
    shown = Shown()
    shown.fetch(20, 0.5)
    shown.load = 9.0
    shown.clock.wait(1)
    cancel = threading.Event()

    def look(progress: Progress) -> None:
        shown.told.append(progress)
        if shown.watch.progress.paused:
            shown.load = 0.0

    shown.watch.listener = look
    shown.told.clear()
    with shown.watch.performing(cancel):
        shown.watch.show(Progress("fetch", 21 * MIB, 100 * MIB))
    before, paused, after = shown.told
    assert before.paused == after.paused == ""
    assert paused.paused == "load 9.0 above 4.0"
    assert (paused.bytes_s, paused.left_s) == (None, None), "nobody knows"
    assert replace(paused, paused="") == after


def test_pause_ends_when_the_install_is_cancelled() -> None:
    shown = Shown(load=9.0)
    cancel = threading.Event()
    shown.watch.listener = lambda progress: cancel.set() if progress.paused else None
    with shown.watch.performing(cancel), pytest.raises(OperatorError) as caught:
        shown.watch.show(Progress("fetch", 0, 100 * MIB))
    assert caught.value.code is Code.CANCELLED
    assert shown.clock.now_s() == 0


def test_seal_that_is_under_way_is_shown_and_never_held_up() -> None:
    shown = Shown(PaceSettings(write_bytes_s=MIB))
    shown.fetch(3, 1)
    shown.watch.show(Progress("seal", 0, 100 * MIB))
    shown.load = 9.0
    shown.clock.wait(2)
    waits = len(shown.clock.waits)
    shown.watch.tell(Progress("seal", 80 * MIB, 100 * MIB))
    assert len(shown.clock.waits) == waits, "the one that tells it would come back late"
    assert shown.watch.progress == Progress("seal", 80 * MIB, 100 * MIB, 40 * MIB, 1)
