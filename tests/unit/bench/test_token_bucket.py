# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.token_bucket import TokenBucket

RATE = 1000.0
BURST = 500
PIECES = st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 3)), min_size=1, max_size=50)


def test_burst_is_sent_at_once_and_the_rest_at_the_rate() -> None:
    bucket = TokenBucket(RATE, BURST, 10.0)
    assert bucket.take(BURST, 10.0) == 0
    assert bucket.take(250, 10.0) == pytest.approx(0.25)
    assert bucket.take(250, 10.0) == pytest.approx(0.5)


def test_bucket_holds_no_more_than_a_burst() -> None:
    bucket = TokenBucket(RATE, BURST, 0.0)
    assert bucket.take(BURST, 3600.0) == 0
    assert bucket.take(100, 3600.0) == pytest.approx(0.1)


@given(PIECES)
def test_sender_that_waits_never_exceeds_the_rate_and_one_burst(
    pieces: list[tuple[int, float]],
) -> None:
    now, sent = 0.0, 0
    bucket = TokenBucket(RATE, BURST, now)
    for size, pause in pieces:
        now += pause
        now += bucket.take(size, now)
        sent += size
        assert sent <= RATE * now + BURST + 1e-6


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=50))
def test_sender_that_always_has_something_uses_all_of_the_rate(sizes: list[int]) -> None:
    now = 0.0
    bucket = TokenBucket(RATE, BURST, now)
    for size in sizes:
        now += bucket.take(size, now)
    assert now == pytest.approx(max(0.0, (sum(sizes) - BURST) / RATE))
