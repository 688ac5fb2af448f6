# SPDX-License-Identifier: Apache-2.0
"""One boot of a simulated node: `puad.core` driven in asyncio, as the daemon drives it.

Rules (those of `puad.daemon.engine`):

1. The new run is persisted before its actions are performed.
2. A poll, and what is done to the slots, one thing after the other, go on beside each other. What
   is to stop is told so at once; nothing that came of it is heard any more.
3. A poll that is wanted while one is under way follows it.
4. A reboot and a power cut end everything; the next boot goes by the machine's facts and by what
   was persisted.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final

from puad.core.actions import (
    Action,
    Announce,
    Ask,
    Consult,
    Install,
    Look,
    Remember,
    StopInstall,
)
from puad.core.events import Event, Started, Ticked
from puad.core.machine import step
from puad.core.rest import rest
from puad.core.run import Rules
from tests.simulator.effects import Effects
from tests.simulator.memory import Memory
from tests.simulator.pace import drawn
from tests.simulator.poll_times import PollTimes

_LONGEST_REST_S: Final = 600.0


class Boot:
    """A node that is up, until it goes down.

    Args:
        effects: Performs its actions.
        memory: What is kept over boots.
        polls: When it polls.
        rules: What its configuration allows.
        listener: Told of each change of state.

    Attributes:
        run: What the node is doing.
    """

    def __init__(
        self,
        effects: Effects,
        memory: Memory,
        polls: PollTimes,
        rules: Rules,
        listener: Callable[[], None],
    ) -> None:
        self.run, self._store_lost = memory.load()
        self._effects = effects
        self._memory = memory
        self._polls = polls
        self._rules = rules
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking = False
        self._asks_again = False
        self._slot_work: deque[Action] = deque()
        self._slot_task: asyncio.Task[None] | None = None
        self._stoppable = False
        self._alarm: asyncio.Future[None] | None = None
        self._bug: BaseException | None = None

    async def last(self) -> None:
        """Run until the node goes down."""
        effects = self._effects
        effects.boots()
        facts = effects.machine.facts(self.run)
        self._memory.booted.add(facts.image_id)
        try:
            self._begin(self._assess())
            self._feed(Started(effects.moment(), facts, self._rules, store_lost=self._store_lost))
            while not effects.is_going_down:
                self._beat()
                await self._rest()
                if self._bug is not None:
                    raise self._bug
        finally:
            await self._power_off()

    def _beat(self) -> None:
        if not self._asking and time.monotonic() >= self._polls.at_s:
            self._asking, self._asks_again = True, False
            self._begin(self._ask())
        self._feed(Ticked(self._effects.moment()))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._bug = self._bug or task.exception()
        self._wake()

    async def _power_off(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._effects.talk.connection.close()

    # ---- rest ----

    async def _rest(self) -> None:
        if self._effects.is_going_down:
            return
        loop = asyncio.get_running_loop()
        self._alarm = loop.create_future()
        handle = loop.call_later(self._rest_s(), self._wake)
        try:
            await self._alarm
        finally:
            handle.cancel()
            self._alarm = None

    def _rest_s(self) -> float:
        until_poll_s = max(0.0, self._polls.at_s - time.monotonic())
        due = [_LONGEST_REST_S if self._asking else until_poll_s]
        resting = rest(self.run, self._effects.moment())
        if resting is not None:
            due.append(resting.total_seconds())
        return min(due)

    def _wake(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    # ---- work ----

    async def _assess(self) -> None:
        effects = self._effects
        if not effects.machine.is_confirmed:
            await asyncio.sleep(drawn(effects.pace.assess_s, effects.chance))
            if effects.machine.assess(effects.moment().now):
                effects.is_going_down = True

    async def _ask(self) -> None:
        effects, contact = self._effects, self._effects.contact
        event = await effects.perform(Ask(), self.run)
        now_s = time.monotonic()
        if contact.failures:
            self._polls.failed(now_s, contact.failures, contact.retry_after_s)
        else:
            self._polls.answered(now_s)
        if self._asks_again:
            self._polls.at_s = now_s
        self._asking = False
        if event is not None:
            self._feed(event)

    async def _work_on_slots(self) -> None:
        while self._slot_work:
            action = self._slot_work.popleft()
            self._stoppable = isinstance(action, Install | Consult)
            event = await self._effects.perform(action, self.run)
            self._stoppable = False
            if self._effects.is_going_down:
                return
            if event is not None:
                self._feed(event)

    # ---- the core ----

    def _feed(self, event: Event) -> None:
        events = deque([event])
        while events:
            before = self.run
            after, actions = step(before, events.popleft())
            if after != before:
                self._memory.keep(after)
            self.run = after
            for action in actions:
                self._take_on(action, events)
            if after.state is not before.state:
                self._listener()

    def _take_on(self, action: Action, events: deque[Event]) -> None:
        match action:
            case Ask():
                self._asks_again = self._asking
                self._polls.at_s = 0.0
                self._wake()
            case Look():
                events.append(self._effects.look(self.run))
            case StopInstall():
                self._stop()
            case Remember(run):
                self._memory.remember(run, self._effects.moment().now)
            case Announce():
                pass
            case _:
                self._submit(action)

    def _submit(self, action: Action) -> None:
        if isinstance(action, Install):
            self._memory.begun.add(action.goal.offer.image_id)
        self._slot_work.append(action)
        if self._slot_task is None or self._slot_task.done():
            self._slot_task = self._begin(self._work_on_slots())

    def _stop(self) -> None:
        """Drop what may be stopped, whether it is under way or waits."""
        kept = [one for one in self._slot_work if not isinstance(one, Install | Consult)]
        self._slot_work = deque(kept)
        if self._stoppable and self._slot_task is not None:
            self._stoppable = False
            self._slot_task.cancel()
            self._slot_task = None
            if self._slot_work:
                self._slot_task = self._begin(self._work_on_slots())
