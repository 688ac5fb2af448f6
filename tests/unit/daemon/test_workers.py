# SPDX-License-Identifier: Apache-2.0
"""The workers: work in its order, and work that comes again by itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from puad.daemon.workers import Round, Worker

PATIENCE_S = 60.0


@contextmanager
def worker(again: Round | None = None) -> Iterator[Worker]:
    made = Worker("test", again)
    try:
        yield made
    finally:
        assert made.stop(PATIENCE_S)


def test_work_is_done_in_its_order_and_outlives_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    done: queue.Queue[int] = queue.Queue()
    with worker() as hand:
        hand.do(lambda: done.put(1))
        hand.do(lambda: done.put(1 // 0))
        hand.do(lambda: done.put(2))
        assert [done.get(timeout=PATIENCE_S) for _ in range(2)] == [1, 2]
    assert "the work is given up" in caplog.text


def test_round_comes_again_by_itself_in_the_thread_of_the_worker() -> None:
    threads: queue.Queue[str] = queue.Queue()
    with worker(Round(lambda: 0.0, lambda: threads.put(threading.current_thread().name))):
        assert [threads.get(timeout=PATIENCE_S) for _ in range(3)] == ["test"] * 3


def test_round_is_asked_for_its_pause_after_all_that_is_done() -> None:
    rests: list[float | None] = [None, 0.0, 3600.0]
    rounds: queue.Queue[str] = queue.Queue()

    def pass_rest() -> None:
        rests.pop(0)

    with worker(Round(lambda: rests[0], lambda: rounds.put("round"))) as hand:
        hand.do(lambda: rounds.put("asked for"))
        assert rounds.get(timeout=PATIENCE_S) == "asked for"  # and no round: it is never due
        hand.do(pass_rest)
        assert rounds.get(timeout=PATIENCE_S) == "round"
        hand.do(pass_rest)
        hand.do(lambda: rounds.put("end"))
        while rounds.get(timeout=PATIENCE_S) != "end":
            continue
    assert rounds.empty()
