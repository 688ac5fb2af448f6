# SPDX-License-Identifier: Apache-2.0
"""The daemon while boot control is absent: how often it is looked at, and when that ends."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import jwt
import pytest

from puad.config import Limits, ServerSettings, Settings
from puad.core.actions import Action, Ask, Look
from puad.core.errors import BootControlError, Code
from puad.core.events import Event, Failed, Looked, Moment, NotAnswered, Step
from puad.core.model import Assessment, Facts, Slot, SlotState
from puad.core.run import Run
from puad.daemon import engine as engine_module
from puad.daemon.daemon import Daemon
from puad.daemon.parts import Parts
from puad.daemon.workers import Round
from puad.effects.maintenance import Contact
from puad.effects.watch import Watch
from puad.store import Store

MOMENT = Moment(datetime(2026, 11, 23, 10, 0, tzinfo=UTC))
SLOTS = (
    Slot("a", SlotState.BOOTED, Assessment.GOOD),
    Slot("b", SlotState.INACTIVE, Assessment.INDETERMINATE),
)
FACTS = Facts("boot-1", "a", "a", "1", "edge", SLOTS)
SECONDS_OF_AN_HOUR = 3600


class Worker:
    """A worker that does at once what it is asked for."""

    def __init__(self, _name: str, _again: Round | None = None) -> None: ...

    def do(self, work: Callable[[], None]) -> None:
        work()


class Bench:
    """A daemon without an orchestrator, its time, and a boot control that may be absent."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.moment = MOMENT
        self.token_file = folder / "token"
        self.absent = True
        self.absent_as = Code.BOOT_CONTROL_ABSENT
        self.looked_at: list[float] = []
        self.asked_of: list[Run] = []
        self.posted: deque[Callable[[], None]] = deque()
        self.watch = Watch()
        parts = SimpleNamespace(
            store=Store(folder, Limits()),
            clock=SimpleNamespace(moment=lambda: self.moment, keep=lambda _now: None),
            desk=SimpleNamespace(contact=Contact()),
            effects=SimpleNamespace(perform=self._perform),
            guid=lambda: "5c7e3a30-7d0e-4f2c-9a51-0d1f6f1d0f01",
            learn_guid=lambda: None,
        )
        settings = Settings(server=ServerSettings(token_file=self.token_file))
        self.daemon = Daemon(settings, cast("Parts", parts), self.watch, self.posted.append)

    def _perform(self, action: Action, run: Run) -> Event:
        if isinstance(action, Ask):
            self.asked_of.append(run)
            return NotAnswered(MOMENT)
        assert isinstance(action, Look)
        self.looked_at.append(self.now)
        if self.absent:
            code, text = self.absent_as, "nobody is there"
            return Failed(MOMENT, "", Step.LOOK, code, text, transient=True)
        return Looked(MOMENT, FACTS)

    def looks_within(self, seconds: int) -> list[float]:
        """Beat each second; how long after the beginning boot control was looked at."""
        begin, known = self.now, len(self.looked_at)
        for _ in range(seconds):
            self.daemon.tick()
            while self.posted:
                self.posted.popleft()()
            self.now += 1
        return [at - begin for at in self.looked_at[known:]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(engine_module, "Worker", Worker)
    made = Bench(tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def test_absent_boot_control_is_looked_at_less_and_less_often(bench: Bench) -> None:
    assert bench.looks_within(400) == [0, 3, 9, 21, 45, 93, 189, 369]
    assert len(bench.looks_within(SECONDS_OF_AN_HOUR)) <= SECONDS_OF_AN_HOUR / 180
    assert bench.watch.trouble


def test_boot_control_that_comes_up_late_is_found_and_lost_again(bench: Bench) -> None:
    bench.looks_within(20)
    bench.absent = False
    bench.looks_within(600)
    assert not bench.watch.trouble
    assert bench.daemon.status_view().slots == SLOTS

    bench.absent = True
    lost = bench.looks_within(600)
    assert bench.watch.trouble
    assert [later - at for at, later in itertools.pairwise(lost)][:4] == [3, 6, 12, 24]


def test_the_orchestrator_is_asked_when_the_facts_are_known(bench: Bench) -> None:
    bench.absent = False
    bench.daemon.start()
    bench.looks_within(1)
    assert [run.facts for run in bench.asked_of] == [FACTS]


def test_a_bug_in_a_look_is_not_told_as_an_absent_boot_control(bench: Bench) -> None:
    bench.absent_as = Code.INTERNAL
    bench.looks_within(1)
    assert bench.watch.trouble is not None
    assert not isinstance(bench.watch.trouble, BootControlError)


def test_the_orchestrator_hears_of_a_boot_control_that_is_absent(bench: Bench) -> None:
    bench.daemon.start()
    bench.looks_within(1)
    assert [run.facts for run in bench.asked_of] == [None]
    assert bench.watch.trouble


def test_daemon_that_waits_for_boot_control_beats_only_when_a_look_is_due(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def timeout_add(pause_ms: int, _beat: object) -> int:
        pauses.append(pause_ms)
        return 0

    monkeypatch.setattr("puad.daemon.pulse.GLib.timeout_add", timeout_add)
    bench.looks_within(100)  # the last look was at 93 s, the next is at 189 s
    bench.daemon.pulse.reset()
    assert pauses[-1] == 45_000


def test_status_warns_of_a_token_that_is_about_to_end_until_its_file_is_swapped(
    bench: Bench,
) -> None:
    def put_token(days_left: int) -> datetime:
        end = MOMENT.now + timedelta(days=days_left)
        new = bench.token_file.with_name("new")
        new.write_text(jwt.encode({"exp": end}, "k" * 64, algorithm="HS256"))
        new.replace(bench.token_file)
        return end

    server = bench.daemon.status_view().server
    assert (server.token_expires_at, server.token_warning) == (None, "")
    end = put_token(9)
    server = bench.daemon.status_view().server
    assert server.token_expires_at == end
    assert "expires in 9 days" in server.token_warning
    bench.moment = replace(MOMENT, clock_trusted=False)
    assert bench.daemon.status_view().server.token_warning == "", "the clock knows nothing"
    bench.moment = MOMENT
    put_token(365)
    assert bench.daemon.status_view().server.token_warning == ""
