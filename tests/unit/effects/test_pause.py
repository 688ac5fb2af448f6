# SPDX-License-Identifier: Apache-2.0
"""When an install pauses, and for how long at most."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.config import PaceSettings
from puad.core.neighbours import Neighbours, Reading
from puad.effects.pause import Pause

SETTINGS = PaceSettings(
    pause_above_load_percent=400, pause_above_io_pressure_percent=20, pause_most_s=60
)


def busy(load: float = 0.0, pressure: float = 0.0) -> Neighbours:
    first = Reading(0.0, load=load, stall_s=0.0, own_stall_s=0.0)
    neighbours = Neighbours(first)
    neighbours.io_pressure_percent = pressure
    return neighbours


@pytest.mark.parametrize(
    ("neighbours", "why"),
    [
        (busy(load=4.0), ""),
        (busy(load=5.2), "load 5.2 above 4.0"),
        (busy(pressure=20), ""),
        (busy(pressure=35.4), "I/O pressure 35 % above 20 %"),
        (busy(load=9, pressure=99), "load 9.0 above 4.0"),
    ],
)
def test_pause_is_for_what_is_above_its_bound(neighbours: Neighbours, why: str) -> None:
    assert Pause(SETTINGS).why(neighbours, 0.0) == why


def test_pause_without_bounds_never_comes() -> None:
    never = replace(SETTINGS, pause_above_load_percent=0, pause_above_io_pressure_percent=0)
    assert Pause(never).why(busy(load=1000, pressure=100), 0.0) == ""


def test_pause_is_over_with_its_reason() -> None:
    pause = Pause(SETTINGS)
    assert pause.why(busy(load=5), 0.0)
    assert not pause.why(busy(load=3), 50.0)
    assert pause.why(busy(load=5), 51.0)


@pytest.mark.parametrize(("quiet_s", "whole"), [(119, False), (120, True)])
def test_next_pause_is_as_long_after_two_minutes_of_quiet(quiet_s: int, *, whole: bool) -> None:
    pause = Pause(SETTINGS)
    pause.why(busy(load=5), 0.0)
    for second in range(50, 50 + quiet_s + 1):
        assert not pause.why(busy(load=3), second)
    busy_again_s = 50 + quiet_s + 1
    paused = [bool(pause.why(busy(load=5), busy_again_s + second)) for second in range(60)]
    assert all(paused) == whole


def test_moment_of_quiet_now_and_then_pauses_no_install_for_good() -> None:
    pause = Pause(SETTINGS)
    hour = range(3600)
    at_work = [not pause.why(busy(load=3 if second % 59 == 0 else 5), second) for second in hour]
    assert sum(at_work) > 3600 // 8


@given(most_s=st.integers(1, 10_000), begun_s=st.integers(0, 10**6))
def test_pause_that_lasts_becomes_a_slow_install(most_s: int, begun_s: int) -> None:
    pause = Pause(replace(SETTINGS, pause_most_s=most_s))
    at_work = [not pause.why(busy(load=5), begun_s + second) for second in range(most_s + 90)]
    assert not any(at_work[:most_s])
    assert at_work[most_s : most_s + 5] == [True] * 5
    assert sum(at_work) == 15, "five seconds of each half minute"
