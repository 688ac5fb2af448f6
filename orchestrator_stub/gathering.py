# SPDX-License-Identifier: Apache-2.0
"""Gathering: questions that come within a moment are answered together.

To hand one question to a thread, and there to the database, costs more than to answer ten of them
once they are there. So the first one waits a few milliseconds for others; and while some are being
answered, the next ones gather. The busier the server, the less each of them costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")
_MOMENT_S: Final = 0.005
_MOST: Final = 64


class Gathering(Generic[_Question, _Answer]):
    """The questions of one event loop, and a worker thread that answers them.

    Args:
        answer_all: Answers some questions, each by the answer in its place; called in the thread,
            once at a time.
        name: The thread's.
    """

    def __init__(
        self, answer_all: Callable[[Sequence[_Question]], Sequence[_Answer]], name: str
    ) -> None:
        self._answer_all = answer_all
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[tuple[_Question, asyncio.Future[_Answer]]] = []
        self._answering: asyncio.Task[None] | None = None

    async def ask(self, question: _Question) -> _Answer:
        """The answer to a question; an error of `answer_all` is everybody's who asked with it."""
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer_waiting())
        return await future

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    async def _answer_waiting(self) -> None:
        try:
            await asyncio.sleep(_MOMENT_S)
            while self._waiting:
                together, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._answer(together)
        finally:
            self._answering = None

    async def _answer(self, together: list[tuple[_Question, asyncio.Future[_Answer]]]) -> None:
        questions = [question for question, _ in together]
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._thread, self._answer_all, questions)
        except BaseException as error:
            for _, future in together:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(together, answers, strict=True):
            if not future.done():  # its caller was cancelled
                future.set_result(answer)
