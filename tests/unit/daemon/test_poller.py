# SPDX-License-Identifier: Apache-2.0
"""The poller: when the orchestrator is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from puad.config import ServerSettings, Settings
from puad.core.errors import Code, PuadError, ServerError
from puad.daemon import poller as poller_module
from puad.daemon.poller import Poller
from puad.effects.maintenance import Contact

ANSWERED = Contact(reachable=True, last_answer_at=datetime(2026, 11, 23, tzinfo=UTC))


class Answer:
    """A reply that remembers."""

    def __init__(self) -> None:
        self.got: list[object] = []

    def done(self, *values: object) -> None:
        self.got += values

    def failed(self, error: PuadError) -> None:
        self.got.append(error.code)


class Bench:
    """A poller and its time."""

    def __init__(self, url: str = "https://orchestrator.example") -> None:
        self.asked = 0
        self.now = 1000.0
        server = ServerSettings(url=url, poll_interval_s=20, timeout_s=30)
        self.poller = Poller(replace(Settings(), server=server), self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def after(self, seconds: float) -> int:
        """How often it was asked that much later."""
        self.now += seconds
        before = self.asked
        self.poller.tick()
        return self.asked - before

    def answered(self, contact: Contact = ANSWERED) -> None:
        self.poller.answered(contact, lambda: "the document")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(poller_module.time, "monotonic", lambda: made.now)
    return made


def failed(retry_after_s: float | None = None, failures: int = 1) -> Contact:
    error = ServerError(Code.SERVER_UNREACHABLE, "gone", on="")
    error.retry_after_s = retry_after_s
    return Contact(reachable=False, error=error, failures=failures)


def test_tick_asks_at_once_and_then_every_interval(bench: Bench) -> None:
    assert bench.after(0) == 1
    bench.answered()
    assert bench.after(19) == 0
    assert bench.after(1) == 1


def test_tick_without_an_orchestrator_never_asks() -> None:
    assert Bench(url="").after(10_000) == 0


def test_failures_are_backed_off_but_bounded(bench: Bench) -> None:
    bench.after(0)
    bench.answered(failed(failures=50))

    assert bench.after(19) == 0
    assert bench.after(60) == 1


def test_retry_after_is_kept_up_to_its_limit(bench: Bench) -> None:
    bench.after(0)
    bench.answered(failed(retry_after_s=600))
    assert bench.poller.is_quiet
    assert bench.after(599) == 0
    assert bench.after(2) == 1

    bench.answered(failed(retry_after_s=1e9))
    assert bench.after(3601) == 1


def test_check_is_answered_by_the_next_answer(bench: Bench) -> None:
    first, second = Answer(), Answer()
    bench.poller.check(first)
    bench.answered()
    bench.poller.check(second)
    bench.answered(failed())

    assert bench.asked == 2
    assert first.got == ["the document"]
    assert second.got == [Code.SERVER_UNREACHABLE]
