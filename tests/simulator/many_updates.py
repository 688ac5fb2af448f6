# SPDX-License-Identifier: Apache-2.0
"""The trial of many updates at once: images good and bad, mishaps on the way, each to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final

from puad.core.run import State
from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator import ends
from tests.simulator.characters import Character, Characters, Flaw
from tests.simulator.ends import End
from tests.simulator.fleet import Fleet, all_of
from tests.simulator.node import Node
from tests.simulator.pace import Pace
from tests.simulator.stage import FIRST, Stage, set_stage

_IMAGES: Final = {
    "2.0": Character.HEALTHY,
    "3.0": Character.UNHEALTHY,
    "4.0": Character.EMERGENCY,
    "5.0": Character.DEAD,
}
_GIVEN: Final = (*["2.0"] * 7, "3.0", "4.0", "5.0")
"""Of ten hosts, seven get the good image."""

_ON_THE_WAY: Final = (State.DOWNLOADING, State.STAGED, State.ARMED, State.ASSESSING)
_AGREED_AFTER_POLLS: Final = 6
_MOST_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the updates.

    Attributes:
        updates: How many there were.
        seconds: From the link of the policies until the server had the last end.
        most_at_once: How many were on their way at the same time.
        boots: How often the nodes were booted.
        wrong: Ends that are not what they should be, in words; the first of them.
        unanswered: What was wrong with calls of nodes that were not answered.
    """

    updates: int
    seconds: float
    most_at_once: int
    boots: int
    wrong: tuple[str, ...]
    unanswered: tuple[str, ...]


@dataclass(slots=True)
class _Updates:
    """The updates under way, and the image that each node is given."""

    fleet: Fleet
    given: dict[Node, str]
    most_at_once: int = 0
    _left: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = list(self.given)

    def have_ended(self) -> bool:
        """Whether every node has come to the end of its update."""
        states = self.fleet.states()
        under_way = sum(states[state.value] for state in _ON_THE_WAY)
        self.most_at_once = max(self.most_at_once, under_way)
        self._left = [node for node in self._left if not _has_ended(node)]
        return not self._left

    def wrong(self, told: dict[str, End]) -> list[str]:
        """Every end that is not what the image's character wants, at the node or at the server."""
        found = []
        for node, image_id in self.given.items():
            wanted = ends.wanted(_IMAGES[image_id], FIRST, image_id)
            at_server = told[node.name]
            at_node = ends.of_node(node, wanted)
            if at_server != wanted:
                found.append(f"{node.name}: {wanted}, but the server says {at_server}")
            if at_node != wanted:
                found.append(f"{node.name}: {wanted}, but the node has {at_node}")
        return found


async def update_many(
    orchestrator: Orchestrator, count: int, pace: Pace, patience_s: float
) -> Outcome:
    """Update hosts, all at the same time.

    Args:
        orchestrator: A fresh one.
        count: How many.
        pace: How their nodes live.
        patience_s: How long any part of it may take.
    """
    stage = await asyncio.to_thread(set_stage, orchestrator, count, *_IMAGES)
    flaws = {one: Flaw(kind) for one, kind in _IMAGES.items()}
    fleet = stage.fleet(pace, Characters(flaws))
    updates = _Updates(fleet, dict(zip(fleet.nodes, cycle(_GIVEN), strict=False)))
    async with fleet.switched_on():
        polled = all_of(fleet.nodes, lambda node: node.effects.contact.answers > 0)
        await fleet.until(polled, patience_s, "every node has polled")
        began = time.monotonic()
        await asyncio.to_thread(_link, stage, list(updates.given.values()))
        await fleet.until(updates.have_ended, patience_s, "every update has ended")
        wrong = await _agreed(orchestrator, updates, pace.poll_s)
        seconds = time.monotonic() - began
    return Outcome(
        updates=count,
        seconds=seconds,
        most_at_once=updates.most_at_once,
        boots=sum(node.effects.machine.boots for node in fleet.nodes),
        wrong=tuple(wrong[:_MOST_TOLD]),
        unanswered=tuple(fleet.errors()),
    )


def _has_ended(node: Node) -> bool:
    run = node.run
    is_over = run.state in {State.IDLE, State.ROLLED_BACK, State.FAILED}
    return is_over and run.told and bool(node.memory.history)


async def _agreed(orchestrator: Orchestrator, updates: _Updates, poll_s: float) -> list[str]:
    """What is wrong once every node has had the time to say how it ended."""
    wrong: list[str] = []
    for _ in range(_AGREED_AFTER_POLLS):
        wrong = updates.wrong(await asyncio.to_thread(ends.told, orchestrator))
        if not wrong:
            break
        await asyncio.sleep(poll_s)
    return wrong


def _link(stage: Stage, given: Sequence[str]) -> None:
    for image_id in _IMAGES:
        hosts = [host for host, one in zip(stage.hosts, given, strict=True) if one == image_id]
        stage.link(stage.target(image_id), hosts)
