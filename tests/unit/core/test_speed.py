# SPDX-License-Identifier: Apache-2.0
"""How fast an install goes on, and how long it takes at that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.speed import Speed, left_s


def test_speed_is_not_known_before_a_second_has_passed() -> None:
    speed = Speed()
    assert speed.bytes_s() is None
    for tenth in range(10):
        speed.saw(tenth * 100, 50 + tenth / 10)
        assert speed.bytes_s() is None
    speed.saw(1000, 51)
    assert speed.bytes_s() == 1000


@given(
    bytes_s=st.integers(1, 10**9),
    steps=st.lists(st.floats(0.001, 5), min_size=300, max_size=300),
)
def test_even_speed_is_told_as_it_is(bytes_s: int, steps: list[float]) -> None:
    speed, now = Speed(), 0.0
    for step in steps:
        speed.saw(round(now * bytes_s), now)
        now += step
    told = speed.bytes_s()
    assert told is None or told == pytest.approx(bytes_s, abs=2)
    assert sum(steps[:-1]) < 1 or told is not None


def test_speed_follows_a_change_within_ten_seconds() -> None:
    speed, done = Speed(), 0
    for tenth in range(600):
        done += 1000 if tenth < 400 else 10
        speed.saw(done, tenth / 10)
    assert speed.bytes_s() == 100


def test_speed_of_something_that_shrinks_begins_anew() -> None:
    speed = Speed()
    speed.saw(10**9, 0)
    speed.saw(2 * 10**9, 5)
    speed.saw(0, 6)
    assert speed.bytes_s() is None
    speed.saw(500, 8)
    assert speed.bytes_s() == 250


def test_speed_after_a_pause_is_that_of_after_the_pause() -> None:
    speed = Speed()
    speed.saw(0, 0)
    speed.saw(1000, 1)
    speed.reset()
    speed.saw(1000, 601)
    speed.saw(2000, 602)
    assert speed.bytes_s() == 1000


@pytest.mark.parametrize(
    ("left", "bytes_s", "seconds"),
    [(100, None, None), (100, 0, None), (0, 7, 0), (100, 50, 2), (101, 50, 3), (10**18, 1, 10**9)],
)
def test_time_left_is_told_in_whole_seconds(
    left: int, bytes_s: int | None, seconds: int | None
) -> None:
    assert left_s(left, bytes_s) == seconds
