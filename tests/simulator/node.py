# SPDX-License-Identifier: Apache-2.0
"""A simulated node: one machine with puad on it, from boot to boot."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from puad.core.run import Rules, Run
from tests.simulator.boot import Boot
from tests.simulator.effects import Effects
from tests.simulator.memory import Memory
from tests.simulator.pace import RULES, drawn
from tests.simulator.poll_times import PollTimes


@dataclass(slots=True, eq=False)
class Node:
    """One node.

    Attributes:
        name: What its host is called.
        effects: What its actions come to.
        rules: What its configuration allows.
        listener: Told of each change of its state.
        memory: What it keeps over its boots.
    """

    name: str
    effects: Effects
    rules: Rules = RULES
    listener: Callable[[], None] = lambda: None
    memory: Memory = field(default_factory=Memory)
    _boot: Boot | None = None

    @property
    def run(self) -> Run:
        """What it is doing."""
        return self._boot.run if self._boot else Run()

    @property
    def image_id(self) -> str:
        """The image that it runs, or tries."""
        return self.effects.machine.running

    async def live(self, first_poll_in_s: float = 0.0) -> None:
        """Boot, run and reboot, until cancelled.

        Args:
            first_poll_in_s: How long after the first boot it polls.
        """
        machine, pace, chance = self.effects.machine, self.effects.pace, self.effects.chance
        ask_when = random.Random(self.name).random
        polls = PollTimes(pace.poll_s, ask_when, time.monotonic() + first_poll_in_s)
        boots = machine.power_on()
        while True:
            self._boot = Boot(self.effects, self.memory, polls, self.rules, self.listener)
            await self._boot.last()
            boots = machine.power_on()
            for _ in range(boots):
                await asyncio.sleep(drawn(pace.boot_s, chance))
            polls.at_s = 0.0
