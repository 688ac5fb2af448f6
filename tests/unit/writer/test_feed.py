# SPDX-License-Identifier: Apache-2.0
"""The feed: order, bounds, errors, and a thread that always ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import pytest

from puad.core.errors import Code, OperatorError
from puad.writer.feed import Feed

Stop = Callable[[], bool]


def never() -> bool:
    return False


def test_feed_gives_items_in_order_then_the_error() -> None:
    def produce(_stop: Stop) -> Generator[int]:
        yield from range(10)
        raise ZeroDivisionError

    taken: list[int] = []
    with pytest.raises(ZeroDivisionError), Feed(produce, 2) as feed:
        taken.extend(feed.items(never))
    assert taken == list(range(10))


def test_feed_that_is_left_early_stops_its_producer() -> None:
    made: list[int] = []

    def produce(_stop: Stop) -> Generator[int]:
        for number in range(1_000_000):
            made.append(number)
            yield number

    with Feed(produce, 2) as feed:
        assert next(feed.items(never)) == 0
    assert len(made) < 1_000_000


def test_feed_runs_ahead_by_its_depth_and_no_further() -> None:
    made: list[int] = []

    def produce(_stop: Stop) -> Generator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with Feed(produce, 3) as feed:
        for number in feed.items(never):
            # held by the caller, waiting in the queue, and one being made
            assert len(made) <= number + 1 + 3 + 1


def test_feed_with_slow_producer_waits_for_it() -> None:
    def produce(_stop: Stop) -> Generator[int]:
        time.sleep(0.3)
        yield 7

    with Feed(produce, 1) as feed:
        assert list(feed.items(never)) == [7]


def test_feed_when_cancelled_ends_while_the_producer_is_silent() -> None:
    ended: list[bool] = []

    def produce(stop: Stop) -> Generator[int]:
        while not stop():
            time.sleep(0.01)
        ended.append(True)
        yield 0

    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(OperatorError) as caught, Feed(produce, 1) as feed:
        list(feed.items(cancelled))
    assert caught.value.code is Code.CANCELLED
    assert ended


def test_feed_closes_its_producer() -> None:
    closed: list[bool] = []

    def produce(_stop: Stop) -> Generator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(True)

    with Feed(produce, 1) as feed:
        next(feed.items(never))
    assert closed == [True]
