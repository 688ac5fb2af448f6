# SPDX-License-Identifier: Apache-2.0
"""The poller: when the orchestrator is asked."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from puad.config import ServerSettings, Settings
from puad.core.errors import Code, PuadError, ServerError
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
    """A poller, its time, and the worker that asks."""

    def __init__(self, url: str = "https://orchestrator.example") -> None:
        self.now = 1000.0
        server = ServerSettings(url=url, poll_interval_s=20, timeout_s=30)
        self.poller = Poller(replace(Settings(), server=server))

    def is_quiet(self) -> bool:
        return self.poller.is_quiet

    def asked(self, contact: Contact = ANSWERED) -> float | None:
        """Ask, and hear that: how long the pause is."""
        self.poller.asks()
        self.poller.heard(contact)
        return self.poller.rest_s()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    return made


@pytest.fixture
def by_chance(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(random, "random", random.Random(1).random)
    return bench


def failed(retry_after_s: float | None = None, failures: int = 1) -> Contact:
    error = ServerError(Code.SERVER_UNREACHABLE, "gone", on="")
    error.retry_after_s = retry_after_s
    return Contact(reachable=False, error=error, failures=failures)


def test_first_poll_is_not_its_own_and_then_each_follows_the_last(bench: Bench) -> None:
    assert bench.poller.rest_s() is None
    assert bench.asked() == 20
    bench.now += 19
    assert bench.poller.rest_s() == 1


def test_poll_that_never_ends_well_is_followed_by_another(bench: Bench) -> None:
    bench.poller.asks()
    assert bench.poller.rest_s() == 20


def test_without_an_orchestrator_none_is_asked_again() -> None:
    assert Bench(url="").asked() is None


def test_answered_polls_drift_apart_by_a_tenth(by_chance: Bench) -> None:
    pauses = [by_chance.asked() or 0 for _ in range(200)]
    assert 18 <= min(pauses) < 18.2
    assert 21.8 < max(pauses) <= 22


def test_failures_are_backed_off_but_bounded(by_chance: Bench) -> None:
    pauses = [by_chance.asked(failed(failures=50)) for _ in range(50)]
    assert all(20 <= (pause or 0) <= 60 for pause in pauses)
    assert max(pause or 0 for pause in pauses) > 30


def test_retry_after_is_kept_up_to_its_limit(bench: Bench) -> None:
    assert bench.asked(failed(retry_after_s=600)) == 610  # and none comes with all the others
    assert bench.is_quiet()

    bench.now += 300
    bench.poller.asks()  # whoever asks in vain meanwhile neither shortens nor extends it
    assert bench.poller.rest_s() == 300

    bench.now += 301
    assert not bench.is_quiet()
    assert bench.asked(failed(retry_after_s=1e9)) == 3610


def test_whoever_waits_gets_the_next_answer(bench: Bench) -> None:
    first, second = Answer(), Answer()
    bench.poller.wait(first)
    bench.poller.answer(ANSWERED, lambda: "the document")
    bench.poller.wait(second)
    bench.poller.answer(failed(), lambda: "the document")

    assert first.got == ["the document"]
    assert second.got == [Code.SERVER_UNREACHABLE]
