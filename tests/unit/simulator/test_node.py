# SPDX-License-Identifier: Apache-2.0
"""A simulated node's life, against a maintenance manager that a test plays in the same loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

import pytest

from puad.core.errors import Code, ServerError
from puad.core.model import Offer, Schedules, SingleSchedule
from puad.core.run import State
from puad.core.wire import Answer, OSType, StatusReport, StatusType
from tests.simulator.characters import Character
from tests.simulator.connection import Connection, Origin
from tests.simulator.effects import Effects
from tests.simulator.machine import Machine
from tests.simulator.node import Node
from tests.simulator.node_clock import NodeClock
from tests.simulator.pace import Mishaps, Pace
from tests.simulator.talk import Talk

PATIENCE_S = 60
NEW = Offer("edge/2.0.raw.zst", "2.0", "2" * 64, "edge")
INSTANT = Pace(
    poll_s=0.02,
    first_poll_within_s=0.0,
    download_s=(0.02, 0.04),
    seal_s=(0.0, 0.01),
    shutdown_s=(0.01, 0.02),
    boot_s=(0.0, 0.01),
    assess_s=(0.02, 0.03),
)


@dataclass
class Manager:
    """Answers a node, and remembers what it was told."""

    offer: Offer | None = None
    opens_s: float = 0.0
    reports: list[StatusReport] = field(default_factory=list)
    is_up: bool = True
    connection: Connection = field(default_factory=lambda: Connection(Origin("127.0.0.1", 1)))

    async def report(self, status: StatusReport, _now: datetime) -> Answer:
        await asyncio.sleep(0)
        if not self.is_up:
            raise ServerError(Code.SERVER_UNREACHABLE, "It is down")
        self.reports.append(status)
        window = SingleSchedule(int(time.time() + self.opens_s) - 60)
        return Answer(self.offer, Schedules(window), OSType.IMMUTABLE)

    @property
    def told(self) -> list[str]:
        """The statuses in the order in which they were told, repetitions left out."""
        words = [report.status_type.value.removeprefix("STATUS_TYPE_") for report in self.reports]
        return [word for n, word in enumerate(words) if n == 0 or words[n - 1] != word]


def make(manager: Manager, character: Character = Character.HEALTHY, **changes: Any) -> Node:
    kinds = {"2.0": character}
    machine = Machine("edge", "1.0", lambda image: kinds.get(image, Character.HEALTHY))
    chance, pace = random.Random(1), replace(INSTANT, **changes)
    effects = Effects(machine, cast("Talk", manager), NodeClock(), pace, chance)
    return Node("edge-1", effects)


def live(node: Node, holds: Callable[[], bool]) -> None:
    async def watched() -> None:
        life = asyncio.ensure_future(node.live())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():
                    assert not life.done() or life.result()
                    await asyncio.sleep(0.005)
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)

    asyncio.run(watched())


def is_at_rest(node: Node, image_id: str) -> Callable[[], bool]:
    def ask() -> bool:
        ended = bool(node.memory.history) and node.run.told
        rests = node.run.state in {State.IDLE, State.ROLLED_BACK, State.FAILED}
        return ended and rests and node.image_id == image_id

    return ask


def test_node_without_an_offer_polls_and_stays_as_it_is() -> None:
    manager = Manager()
    node = make(manager)
    live(node, lambda: len(manager.reports) >= 3)
    assert manager.told == ["UP_TO_DATE"]
    assert manager.reports[-1].os_image_id == "1.0"
    assert [slot.image_id for slot in manager.reports[-1].slots] == ["1.0", ""]


def test_update_to_a_good_image_is_told_step_by_step() -> None:
    manager = Manager(NEW)
    node = make(manager, download_s=(0.2, 0.3), assess_s=(0.1, 0.2))
    live(node, is_at_rest(node, "2.0"))
    assert manager.told[0] == "UP_TO_DATE"
    # the next poll may come before this is looked at
    assert [word for word in manager.told if word != "UP_TO_DATE"][-1] == "UPDATED"
    wanted = ["DOWNLOADING", "STARTED", "UPDATED"]
    assert [word for word in manager.told if word in wanted] == wanted
    percents = [r.progress_percent for r in manager.reports if r.progress_percent is not None]
    assert percents == sorted(percents)
    assert len(set(percents)) > 3
    (past,) = node.memory.history
    assert (past.state, past.from_image_id) == ("DONE", "1.0")
    assert (node.memory.begun, node.memory.booted) == ({"2.0"}, {"1.0", "2.0"})


@pytest.mark.parametrize(
    ("character", "code"),
    [
        (Character.UNHEALTHY, Code.PROBE_FAILED),
        (Character.EMERGENCY, Code.EMERGENCY_MODE),
        (Character.DEAD, Code.NEVER_STARTED),
    ],
)
def test_bad_image_is_left_with_its_cause_and_not_tried_again(
    character: Character, code: Code
) -> None:
    manager = Manager(NEW)
    node = make(manager, character)
    live(node, is_at_rest(node, "1.0"))
    assert node.run.state is State.ROLLED_BACK
    assert node.run.cause is not None
    assert node.run.cause.code is code
    polls = len(manager.reports)
    live(node, lambda: len(manager.reports) >= polls + 5)
    assert manager.reports[-1].status_type is StatusType.FAILED
    assert manager.reports[-1].quarantine == (NEW.file_hash,)
    assert len(node.memory.history) == 1


def test_download_that_is_lost_is_tried_again_in_the_same_run() -> None:
    manager = Manager(NEW)
    node = make(manager, mishaps=Mishaps(lost=0.7))
    live(node, is_at_rest(node, "2.0"))
    assert len(node.memory.history) == 1
    assert node.effects.machine.boots == 2


def test_power_cut_in_mid_download_is_survived_by_what_was_persisted() -> None:
    manager = Manager(NEW)
    node = make(manager, mishaps=Mishaps(power_cuts=0.6))
    live(node, is_at_rest(node, "2.0"))
    assert node.effects.machine.boots > 2
    (past,) = node.memory.history
    assert past.state == "DONE"


def test_offer_that_is_taken_back_stops_the_download() -> None:
    manager = Manager(NEW)
    node = make(manager, download_s=(30.0, 30.0))

    def take_back() -> bool:
        if node.run.state is State.DOWNLOADING:
            manager.offer = None
        return bool(node.memory.history) and manager.told[-1] == "UP_TO_DATE"

    live(node, take_back)
    assert node.run.state is State.IDLE
    assert node.effects.percent is None
    assert node.memory.booted == {"1.0"}


def test_window_that_is_not_open_is_waited_for() -> None:
    manager = Manager(NEW, opens_s=3600)
    node = make(manager, first_poll_within_s=0.0)
    node.rules = replace(node.rules, download_window=node.rules.retry_most)
    live(node, lambda: len(manager.reports) >= 5)
    assert "STARTED" not in manager.told


def test_node_goes_on_without_the_orchestrator_and_tells_it_afterwards() -> None:
    manager = Manager(NEW)
    node = make(manager)

    def cut_off() -> bool:
        manager.is_up = node.run.state is not State.STAGED
        return is_at_rest(node, "2.0")() or node.effects.contact.failures > 0

    live(node, cut_off)
    assert node.memory.begun == {"2.0"}


def test_bug_ends_the_node_and_is_let_out(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(NEW)
    node = make(manager)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Machine, "write", fail)
    with pytest.raises(ZeroDivisionError):
        live(node, lambda: False)
