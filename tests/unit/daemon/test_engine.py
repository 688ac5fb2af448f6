# SPDX-License-Identifier: Apache-2.0
"""The engine: persist before perform, whatever the disk, the workers and the core do."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from puad.core import machine
from puad.core.actions import Action, Ask, Consult, Install, Look
from puad.core.errors import Code, StorageError
from puad.core.events import (
    CancelAsked,
    Consulted,
    Event,
    InstallAsked,
    Looked,
    Moment,
    NotAnswered,
    Sealed,
    Ticked,
)
from puad.core.model import Assessment, Facts, Offer, Slot, SlotState
from puad.core.run import Run, State
from puad.daemon.engine import Engine
from puad.daemon.memory import Memory
from puad.effects.watch import Watch

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MOMENT = Moment(NOW)
PATIENCE_S = 60
OFFER = Offer("edge/2.raw", "2", "2" * 64, "edge")
SLOTS = (
    Slot("a", SlotState.BOOTED, Assessment.GOOD),
    Slot("b", SlotState.INACTIVE, Assessment.INDETERMINATE),
)
FACTS = Facts("boot-1", "a", "a", "1", "edge", SLOTS)


class Disk(Memory):
    """The memory of the engine, with a disk that may be full."""

    def __init__(self) -> None:
        self.kept: list[State] = []
        self.remembered: list[Run] = []
        self.full = False
        self.history_full = False

    def keep(self, run: Run) -> None:
        if self.full:
            raise StorageError(Code.DISK_FULL, "no room")
        self.kept.append(run.state)

    def remember(self, run: Run, _now: datetime) -> None:
        if self.full or self.history_full:
            raise StorageError(Code.DISK_FULL, "no room")
        self.remembered.append(run)


class Bench:
    """An engine whose actions are performed by the test."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.watch = Watch()
        self.posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self.performed: queue.Queue[Action] = queue.Queue()
        self.answers: dict[type, Callable[[], Event | None]] = {}
        self.heard: list[tuple[State, State]] = []
        self.rest_s: float | None = None
        run = Run(facts=FACTS)
        self.engine = Engine(run, self.disk, self.watch, self, self.posted.put, self._listen)

    def state(self) -> State:
        return self.engine.run.state

    @property
    def run_id(self) -> str:
        assert self.engine.run.goal is not None
        return self.engine.run.goal.run_id

    def perform(self, action: Action, _run: Run) -> Event | None:
        self.performed.put(action)
        return self.answers.get(type(action), lambda: None)()

    def ask_rest_s(self) -> float | None:
        return self.rest_s

    def _listen(self, before: Run, after: Run, _event: Event) -> None:
        self.heard.append((before.state, after.state))

    def next_action(self) -> Action:
        return self.performed.get(timeout=PATIENCE_S)

    def until(self, kind: type) -> Action:
        while not isinstance(action := self.next_action(), kind):
            pass
        return action

    def come_back(self) -> None:
        self.posted.get(timeout=PATIENCE_S)()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.engine.stop(PATIENCE_S)
    with suppress(queue.Empty):
        while True:
            made.posted.get_nowait()


def test_feed_persists_before_it_performs(bench: Bench) -> None:
    bench.engine.feed(InstallAsked(MOMENT, OFFER))

    bench.until(Install)
    assert bench.disk.kept == [State.DOWNLOADING]
    assert bench.heard == [(State.IDLE, State.DOWNLOADING)]


def test_feed_on_a_full_disk_performs_nothing_but_tells_the_server(bench: Bench) -> None:
    bench.disk.full = True

    bench.engine.feed(InstallAsked(MOMENT, OFFER))

    assert isinstance(bench.next_action(), Ask)
    assert bench.watch.trouble is not None
    assert bench.watch.trouble.code is Code.DISK_FULL
    assert bench.state() is State.IDLE
    bench.disk.full = False
    bench.engine.feed(Ticked(MOMENT))
    bench.until(Install)
    assert bench.watch.trouble is None


def test_feed_on_a_full_disk_does_not_pile_up_what_comes_again(bench: Bench) -> None:
    bench.disk.full = True
    bench.engine.feed(InstallAsked(MOMENT, OFFER))

    for _ in range(1000):
        bench.engine.feed(Ticked(MOMENT))
        bench.engine.feed(Looked(MOMENT, FACTS))

    bench.disk.full = False
    bench.engine.feed(Ticked(MOMENT))
    assert len(bench.disk.kept) == 1


def test_feed_now_on_a_full_disk_refuses_and_forgets_the_word(bench: Bench) -> None:
    bench.disk.full = True

    with pytest.raises(StorageError):
        bench.engine.feed_now(InstallAsked(MOMENT, OFFER))
    bench.disk.full = False
    bench.engine.feed(Ticked(MOMENT))

    assert bench.state() is State.IDLE


def test_cancel_stops_the_install_and_its_result_is_nobodys(bench: Bench) -> None:
    going, stopped = threading.Event(), threading.Event()

    def install() -> Event:
        going.set()
        while not bench.watch.cancelled():
            assert not stopped.wait(0.01)
        return Sealed(MOMENT, "whatever")

    bench.answers[Install] = install
    bench.engine.feed(InstallAsked(MOMENT, OFFER))
    assert going.wait(PATIENCE_S)

    bench.engine.feed(CancelAsked(MOMENT))
    for _ in range(4):  # Ask, Install, Ask, Disarm
        with suppress(queue.Empty):
            bench.posted.get(timeout=1)()

    assert bench.state() is State.IDLE
    assert [run.state for run in bench.disk.remembered] == [State.DOWNLOADING]


def test_cancel_stops_the_asking_of_hooks_and_what_they_say_is_nobodys(bench: Bench) -> None:
    going, stopped = threading.Event(), threading.Event()

    def consult() -> Event:
        going.set()
        while not bench.watch.cancelled():
            assert not stopped.wait(0.01)
        return Consulted(MOMENT, bench.run_id)

    bench.answers[Install] = lambda: Sealed(MOMENT, bench.run_id)
    bench.answers[Ask] = lambda: NotAnswered(MOMENT)
    bench.answers[Consult] = consult
    bench.engine.feed(InstallAsked(MOMENT, OFFER))
    while not going.is_set():
        bench.posted.get(timeout=PATIENCE_S)()
        bench.engine.feed(Ticked(MOMENT))
        going.wait(0.2)
    assert bench.state() is State.STAGED

    bench.engine.feed(CancelAsked(MOMENT))
    for _ in range(4):
        with suppress(queue.Empty):
            bench.posted.get(timeout=1)()

    assert bench.state() is State.IDLE


def test_result_of_an_action_is_fed(bench: Bench) -> None:
    bench.answers[Look] = lambda: Looked(MOMENT, FACTS)

    bench.engine.do(Look())
    bench.come_back()

    assert bench.heard == [(State.IDLE, State.IDLE)]


def test_answer_while_the_disk_is_full_still_sets_the_next_poll(bench: Bench) -> None:
    bench.answers[Ask] = lambda: NotAnswered(MOMENT)
    bench.disk.full = True

    bench.engine.feed(InstallAsked(MOMENT, OFFER))
    bench.come_back()

    assert bench.heard == [(State.IDLE, State.IDLE)]


def test_full_history_does_not_stop_a_run(bench: Bench) -> None:
    bench.engine.feed(InstallAsked(MOMENT, OFFER))

    bench.disk.history_full = True
    bench.engine.feed(CancelAsked(MOMENT))

    assert bench.state() is State.IDLE
    assert bench.disk.remembered == []


def test_event_that_the_core_does_not_know_is_dropped(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    stray: Any = "no event"
    bench.engine.feed(stray)
    bench.engine.feed(Ticked(MOMENT))

    assert "a bug" in caplog.text
    assert machine.OutOfOrderError.__name__ in caplog.text
    assert bench.heard == [(State.IDLE, State.IDLE)]


def test_same_question_is_not_queued_twice(bench: Bench) -> None:
    gate = threading.Event()

    def wait() -> None:
        gate.wait(PATIENCE_S)

    bench.answers[Look] = wait

    for _ in range(10):
        bench.engine.do(Look())
    gate.set()
    bench.engine.stop(PATIENCE_S)

    assert bench.performed.qsize() <= 2


def test_bug_in_a_worker_does_not_end_it(bench: Bench) -> None:
    def broken() -> Event:
        raise ZeroDivisionError

    bench.answers[Look] = broken
    bench.engine.do(Look())
    bench.until(Look)
    bench.answers[Look] = lambda: Looked(MOMENT, FACTS)

    bench.engine.do(Look())
    bench.come_back()

    assert bench.heard == [(State.IDLE, State.IDLE)]


def test_nothing_is_begun_after_stop(bench: Bench) -> None:
    assert bench.engine.stop(PATIENCE_S)

    bench.engine.do(Look())
    bench.engine.feed(InstallAsked(MOMENT, OFFER))

    assert bench.performed.empty()


def test_ask_comes_again_by_itself_once_it_has_a_pause(bench: Bench) -> None:
    bench.rest_s = 0.0
    bench.engine.do(Ask())
    assert [type(bench.next_action()) for _ in range(3)] == [Ask] * 3
    bench.rest_s = None
