# SPDX-License-Identifier: Apache-2.0
"""The trial of a bad image rolled out in waves: how many nodes it reaches until it stops."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any, Final

from puad.core.run import State
from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator.characters import Character, Characters, Flaw
from tests.simulator.fleet import Fleet, all_of
from tests.simulator.node import Node
from tests.simulator.pace import Pace
from tests.simulator.stage import FIRST, Stage, set_stage

BAD: Final = "2.0"
WAVES: Final = (1, 2, 5, 10, 25, 50, 100)
"""Up to which share of the hosts each wave goes, in percent."""

_STOPPED: Final = "ROLLOUT_STATE_STOPPED"
_RULES: Final = {"waves": [{"percent": share} for share in WAVES], "maxFailedPercent": 5}
_SWEEP_S: Final = 10.0
_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the rollout.

    Attributes:
        hosts: How many the policy was linked to.
        reached: How many nodes have begun to install the image.
        booted: How many of them have booted it.
        allowed: How many may: the first wave and one step more.
        stopped_after_s: From the link of the policy until the rollout stood.
        reason: Why it stopped, in its own words.
        wrong: What is not as it should be afterwards.
    """

    hosts: int
    reached: int
    booted: int
    allowed: int
    stopped_after_s: float
    reason: str
    wrong: tuple[str, ...]


def allowed(hosts: int) -> int:
    """How many of so many hosts a bad image may reach: the first wave, and one step more."""
    return math.ceil(hosts * WAVES[1] / 100)


async def spread_bad_image(
    orchestrator: Orchestrator, hosts: int, pace: Pace, patience_s: float, share: float = 1.0
) -> Outcome:
    """Roll a bad image out to hosts, and wait until it has come as far as it will.

    Args:
        orchestrator: A fresh one.
        hosts: How many.
        pace: How their nodes live.
        patience_s: How long any part of it may take.
        share: On which share of the nodes it is bad, 0..1.
    """
    stage = await asyncio.to_thread(set_stage, orchestrator, hosts, BAD)
    fleet = stage.fleet(pace, Characters({BAD: Flaw(Character.UNHEALTHY, share)}))
    async with fleet.switched_on():
        polled = all_of(fleet.nodes, lambda node: node.effects.contact.answers > 0)
        await fleet.until(polled, patience_s, "every node has polled")
        began = time.monotonic()
        await asyncio.to_thread(_link, stage)
        stopped = await _stopped(stage, fleet, patience_s)
        stopped_after_s = time.monotonic() - began
        await fleet.until(lambda: _is_quiet(fleet), patience_s, "whoever had begun has ended")
        # whoever is still offered the image would begin within this time
        await asyncio.sleep(1.2 * (_SWEEP_S + pace.poll_s))
        wrong = _wrong(fleet)
    return Outcome(
        hosts=hosts,
        reached=fleet.began(BAD),
        booted=fleet.booted(BAD),
        allowed=allowed(hosts),
        stopped_after_s=stopped_after_s,
        reason=stopped["reason"],
        wrong=tuple(wrong),
    )


def _link(stage: Stage) -> None:
    stage.link(stage.target(BAD, rollout=_RULES), stage.hosts)


async def _stopped(stage: Stage, fleet: Fleet, patience_s: float) -> dict[str, Any]:
    """The rollout, when it has stopped."""
    async with asyncio.timeout(patience_s):
        while True:
            fleet.check()
            found = await asyncio.to_thread(stage.orchestrator.get, "compute/rollouts")
            for rollout in found["rollouts"]:
                if rollout["state"] == _STOPPED:
                    return dict(rollout)
            await asyncio.sleep(_LOOK_S)


def _is_quiet(fleet: Fleet) -> bool:
    states = fleet.states()
    return not any(states[state.value] for state in _ON_THE_WAY)


_ON_THE_WAY: Final = (State.DOWNLOADING, State.STAGED, State.ARMED, State.ASSESSING)


def _wrong(fleet: Fleet) -> list[str]:
    """Nodes that are not where they should be."""
    return [f"{node.name}: {_place(node)}" for node in fleet.nodes if not _is_right(node)]


def _is_right(node: Node) -> bool:
    is_bad = node.effects.machine.character_of(BAD) is not Character.HEALTHY
    if BAD not in node.memory.booted:
        return node.image_id == FIRST and node.run.state is State.IDLE
    if is_bad:
        return node.image_id == FIRST and node.run.state is State.ROLLED_BACK
    return node.image_id == BAD and node.run.state is State.IDLE


def _place(node: Node) -> str:
    return f"{node.run.state} on {node.image_id}, with {BAD} on {sorted(node.memory.booted)}"
