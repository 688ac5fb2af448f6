# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.poll_queue import PollQueue

PATIENCE_S = 60


async def stays() -> bool:
    return False


async def has_gone() -> bool:
    return True


class Work:
    """Something that a worker thread does until it is let go."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> str:
        self.has_begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return "done"

    async def begins(self) -> None:
        assert await asyncio.to_thread(self.has_begun.wait, PATIENCE_S)


def play(scene: Callable[[PollQueue], Coroutine[Any, Any, None]], at_once: int = 1) -> None:
    async def staged() -> None:
        polls = PollQueue(at_once)
        await scene(polls)
        assert polls._nodes == {}

    asyncio.run(staged())


def begin(awaited: Awaitable[str]) -> asyncio.Future[str]:
    return asyncio.ensure_future(awaited)


async def is_refused(poll: Awaitable[str]) -> None:
    with pytest.raises(OrchestratorError) as caught:
        await poll
    assert caught.value.code is Code.ABORTED


def answer_in(order: list[str], answer: str) -> str:
    order.append(answer)
    return answer


def test_polls_are_answered_in_the_order_in_which_they_came() -> None:
    async def scene(polls: PollQueue) -> None:
        first, order = Work(), list[str]()
        under_way = begin(polls.pass_through("a", stays, first))
        await first.begins()
        waiting = [
            begin(polls.pass_through(name, stays, partial(answer_in, order, name)))
            for name in ("d", "b", "c")
        ]
        await asyncio.sleep(0)
        assert order == []
        first.may_end.set()
        assert await under_way == "done"
        assert await asyncio.gather(*waiting) == order == ["d", "b", "c"]

    play(scene)


def test_so_many_are_answered_at_a_time_and_no_more() -> None:
    async def scene(polls: PollQueue) -> None:
        works = [Work() for _ in range(3)]
        under_way = [begin(polls.pass_through(str(n), stays, w)) for n, w in enumerate(works)]
        await works[0].begins()
        await works[1].begins()
        assert not works[2].has_begun.is_set()
        works[0].may_end.set()
        await works[2].begins()
        for work in works:
            work.may_end.set()
        await asyncio.gather(*under_way)

    play(scene, at_once=2)


def test_second_poll_of_a_node_waits_for_the_end_of_the_first() -> None:
    async def scene(polls: PollQueue) -> None:
        before, after = Work(), Work()
        first = begin(polls.pass_through("a", stays, before))
        await before.begins()
        second = begin(polls.pass_through("a", stays, after))
        await asyncio.sleep(0.05)
        assert not after.has_begun.is_set()
        before.may_end.set()
        after.may_end.set()
        assert (await first, await second) == ("done", "done")

    play(scene, at_once=8)


def test_polls_of_one_node_are_answered_in_their_order_although_places_are_free() -> None:
    async def scene(polls: PollQueue) -> None:
        first, order = Work(), list[str]()
        under_way = begin(polls.pass_through("a", stays, first))
        await first.begins()
        later = [
            begin(polls.pass_through("a", stays, partial(answer_in, order, str(n))))
            for n in range(5)
        ]
        await asyncio.sleep(0)
        first.may_end.set()
        await asyncio.gather(under_way, *later)
        assert order == list("01234")

    play(scene, at_once=8)


def test_poll_whose_caller_has_gone_is_dropped() -> None:
    async def scene(polls: PollQueue) -> None:
        other, given_up = Work(), Work()
        under_way = begin(polls.pass_through("other", stays, other))
        await other.begins()
        gone = begin(polls.pass_through("a", has_gone, given_up))
        await asyncio.sleep(0)
        other.may_end.set()
        await is_refused(gone)
        assert await under_way == "done"
        assert not given_up.has_begun.is_set()

    play(scene)


def test_poll_that_fails_leaves_its_place_and_its_node_free() -> None:
    async def scene(polls: PollQueue) -> None:
        def fail() -> str:
            raise OrchestratorError(Code.NOT_FOUND, "there is no such host")

        for _ in range(2):
            with pytest.raises(OrchestratorError, match="no such host"):
                await polls.pass_through("a", stays, fail)
        assert await polls.pass_through("a", stays, lambda: "done") == "done"

    play(scene)


def test_poll_that_is_cancelled_while_it_waits_leaves_nothing_behind() -> None:
    async def scene(polls: PollQueue) -> None:
        other = Work()
        under_way = begin(polls.pass_through("other", stays, other))
        await other.begins()
        waiting = begin(polls.pass_through("a", stays, Work()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        other.may_end.set()
        assert await under_way == "done"

    play(scene)
