# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.client.backoff import Backoff, around_s

BACKOFF = Backoff(first_s=1, most_s=300)


def most(failures: int) -> float:
    return BACKOFF.wait_s(failures, lambda: 1.0)


def test_wait_doubles_up_to_its_bound() -> None:
    assert [most(failures) for failures in (1, 2, 3, 9, 10)] == [1, 2, 4, 256, 300]


def test_wait_after_countless_failures_stays_at_its_bound() -> None:
    assert most(10**9) == 300


def test_wait_is_spread_over_the_whole_range() -> None:
    rng = random.Random(7).random
    waits = [BACKOFF.wait_s(9, rng) for _ in range(200)]
    assert min(waits) < 16
    assert max(waits) > 240


@pytest.mark.parametrize(("asked", "least"), [(None, 0), (20, 20), (10_000, 300), (0, 0)])
def test_retry_after_is_a_bounded_lower_bound(asked: float | None, least: float) -> None:
    assert BACKOFF.wait_s(1, lambda: 0.0, asked) == least


@given(
    failures=st.integers(-5, 10**6),
    chance=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 1e12),
)
def test_wait_is_never_negative_nor_above_its_bound(
    failures: int, chance: float, asked: float | None
) -> None:
    assert 0 <= BACKOFF.wait_s(failures, lambda: chance, asked) <= BACKOFF.most_s


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 18), (0.5, 20), (1.0, 22)])
def test_wait_around_is_a_tenth_shorter_or_longer(chance: float, seconds: float) -> None:
    assert around_s(20, lambda: chance) == pytest.approx(seconds)
