# SPDX-License-Identifier: Apache-2.0
"""The token bucket: an even rate over any time, whoever takes and whenever."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.token_bucket import TokenBucket

RATES = st.integers(1, 10**9)
TAKINGS = st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 100)), min_size=1, max_size=12)


@given(rate=RATES, burst=st.integers(0, 10**7), takings=TAKINGS)
def test_no_span_of_time_sees_more_than_the_rate_a_burst_and_one_taking(
    rate: int, burst: int, takings: list[tuple[int, float]]
) -> None:
    now = 5.0
    bucket = TokenBucket(rate, burst, now)
    taken = []
    for size, pause in takings:
        now += pause + bucket.wait_s(now + pause)
        bucket.take(size, now)
        taken.append((now, size))
    for first, last in combinations(range(len(taken)), 2):
        span = taken[last][0] - taken[first][0]
        before_the_last = sum(size for _, size in taken[first:last])
        assert before_the_last <= burst + rate * span + 1e-6 * (1 + rate)


@given(rate=RATES, late=st.floats(0, 0.2), sizes=st.lists(st.integers(1, 1000), min_size=50))
def test_taker_that_is_always_there_gets_the_whole_rate(
    rate: int, late: float, sizes: list[int]
) -> None:
    # it wakes up too late each time, but never by more than a burst
    now = 0.0
    bucket = TokenBucket(rate, late * rate + max(sizes), now)
    for size in sizes:
        wait = bucket.wait_s(now)
        now += wait + (late if wait else 0.0)
        bucket.take(size, now)
    assert now <= sum(sizes) / rate + late + 1e-6


@given(takings=TAKINGS)
def test_clock_that_stands_still_or_goes_back_gives_no_tokens(
    takings: list[tuple[int, float]],
) -> None:
    bucket = TokenBucket(10, 0, 1000.0)
    for size, back in takings:
        bucket.take(size, 1000.0 - back)
    owed = sum(size for size, _ in takings)
    assert bucket.wait_s(1000.0) == pytest.approx(owed / 10)


def test_nothing_is_waited_for_before_anything_was_taken() -> None:
    bucket = TokenBucket(100, 50, 0.0)
    assert bucket.wait_s(0.0) == 0
    bucket.take(50, 0.0)
    assert bucket.wait_s(0.0) == 0
    bucket.take(100, 0.0)
    assert bucket.wait_s(0.0) == 1
    assert bucket.wait_s(0.25) == 0.75
