# SPDX-License-Identifier: Apache-2.0
"""Gathering: each gets the answer to its own question, and few calls answer many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from orchestrator_stub.gathering import Gathering


def doubled(questions: Sequence[int]) -> list[int]:
    return [2 * question for question in questions]


def test_each_gets_its_own_answer_from_few_calls() -> None:
    sizes: list[int] = []

    def answer_all(questions: Sequence[int]) -> list[int]:
        sizes.append(len(questions))
        return doubled(questions)

    async def ask_all() -> list[int]:
        gathering = Gathering(answer_all, "test")
        answers = await asyncio.gather(*map(gathering.ask, range(1000)))
        gathering.close()
        return answers

    assert asyncio.run(ask_all()) == list(range(0, 2000, 2))
    assert sum(sizes) == 1000
    assert max(sizes) <= 64
    assert len(sizes) == 16


def test_those_who_come_while_others_are_answered_gather_meanwhile() -> None:
    go_on, begun = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def answer_all(questions: Sequence[int]) -> list[int]:
        calls.append(list(questions))
        begun.set()
        assert go_on.wait(120)
        return doubled(questions)

    async def ask_all() -> list[int]:
        gathering = Gathering(answer_all, "test")
        first = asyncio.create_task(gathering.ask(1))
        await asyncio.to_thread(begun.wait, 120)
        others = [asyncio.create_task(gathering.ask(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        go_on.set()
        answers = [await first, *await asyncio.gather(*others)]
        answers.append(await gathering.ask(4))
        gathering.close()
        return answers

    assert asyncio.run(ask_all()) == [2, 4, 6, 8]
    assert calls == [[1], [2, 3], [4]]


def test_error_reaches_those_who_asked_and_nobody_later() -> None:
    def answer_all(questions: Sequence[int]) -> list[int]:
        if 0 in questions:
            raise LookupError("0")
        return doubled(questions)

    async def ask_all() -> list[int | BaseException]:
        gathering = Gathering(answer_all, "test")
        together = await asyncio.gather(gathering.ask(0), gathering.ask(1), return_exceptions=True)
        later = await gathering.ask(1)
        gathering.close()
        return [*together, later]

    first, second, third = asyncio.run(ask_all())
    assert isinstance(first, LookupError)
    assert isinstance(second, LookupError)
    assert third == 2


def test_caller_that_was_cancelled_takes_nothing_from_the_others() -> None:
    async def ask_all() -> int:
        gathering = Gathering(doubled, "test")
        gone = asyncio.create_task(gathering.ask(1))
        stays = asyncio.create_task(gathering.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        answer = await stays
        gathering.close()
        return answer

    assert asyncio.run(ask_all()) == 4
