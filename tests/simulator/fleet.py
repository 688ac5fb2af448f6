# SPDX-License-Identifier: Apache-2.0
"""A simulated fleet: thousands of nodes in one asyncio process, switched on together."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from puad.core.run import Rules
from tests.simulator.characters import Characters
from tests.simulator.connection import Connection, Origin
from tests.simulator.effects import Effects
from tests.simulator.machine import Machine
from tests.simulator.node import Node
from tests.simulator.node_clock import NodeClock
from tests.simulator.pace import RULES, Pace
from tests.simulator.talk import Talk

_GLANCE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Identity:
    """A host as it was enrolled, and what its node runs at first."""

    name: str
    guid: str
    token: str
    profile: str
    image_id: str


def make_node(
    identity: Identity,
    origin: Origin,
    pace: Pace,
    characters: Characters,
    *,
    rules: Rules = RULES,
    seed: int = 0,
) -> Node:
    """A node, switched off; the same seed draws the same chances for the same host."""
    chance = random.Random(f"{seed} {identity.guid}")
    machine = Machine(identity.profile, identity.image_id, partial(characters.on, identity.guid))
    connection = Connection(origin, pace.timeout_s)
    talk = Talk(connection, identity.guid, identity.token)
    effects = Effects(machine, talk, NodeClock.drawn(chance), pace, chance)
    return Node(identity.name, effects, rules)


class Fleet:
    """Nodes that live side by side.

    Args:
        nodes: They, switched off.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self._lives: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def switched_on(self) -> AsyncIterator[None]:
        """Let them live for the length of the block."""
        loop = asyncio.get_running_loop()
        for node in self.nodes:
            effects = node.effects
            first_s = effects.chance.uniform(0, effects.pace.first_poll_within_s)
            self._lives.append(loop.create_task(node.live(first_s), name=node.name))
        try:
            yield
            self.check()
        finally:
            for life in self._lives:
                life.cancel()
            await asyncio.gather(*self._lives, return_exceptions=True)
            self._lives.clear()

    def check(self) -> None:
        """Let out what a bug has ended a node with."""
        for life in self._lives:
            if life.done():
                life.result()

    async def until(self, holds: Callable[[], bool], patience_s: float, what: str) -> None:
        """Wait until something holds.

        Raises:
            TimeoutError: When that takes longer than `patience_s`.
        """
        try:
            async with asyncio.timeout(patience_s):
                while not holds():
                    self.check()
                    await asyncio.sleep(_GLANCE_S)
        except TimeoutError as error:
            raise TimeoutError(f"waited {patience_s:g} s until {what}: {self.states()}") from error

    # ---- what became of them ----

    def states(self) -> Counter[str]:
        """How many nodes are in each state."""
        return Counter(node.run.state.value for node in self.nodes)

    def began(self, image_id: str) -> int:
        """How many nodes have ever begun to install an image."""
        return sum(image_id in node.memory.begun for node in self.nodes)

    def booted(self, image_id: str) -> int:
        """How many nodes have ever booted an image."""
        return sum(image_id in node.memory.booted for node in self.nodes)

    def errors(self) -> list[str]:
        """What was wrong with calls to the orchestrator, the last of each node."""
        return [error for node in self.nodes for error in node.effects.contact.errors]


def all_of(nodes: Iterable[Node], holds: Callable[[Node], bool]) -> Callable[[], bool]:
    """Whether something holds for all of some nodes, to be asked again and again."""
    waiting = list(nodes)

    def ask() -> bool:
        waiting[:] = [node for node in waiting if not holds(node)]
        return not waiting

    return ask
