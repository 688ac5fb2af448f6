# SPDX-License-Identifier: Apache-2.0
"""Random event sequences with power cuts between persist and perform: no invariant may break.

The world is a small machine with two slots, a boot loader that counts, a health process, a
maintenance manager and an operator. The run is kept only as what was persisted; pending actions
are lost with the power.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from puad.core.actions import (
    Action,
    Arm,
    Ask,
    Consult,
    Disarm,
    Install,
    Look,
    MarkBad,
    MarkGood,
    Reboot,
    StopInstall,
)
from puad.core.errors import Code
from puad.core.events import (
    Answered,
    Armed,
    CancelAsked,
    Consulted,
    Event,
    Failed,
    Looked,
    Moment,
    NotAnswered,
    RetryAsked,
    RollbackAsked,
    RunAsked,
    Sealed,
    Started,
    Step,
    Ticked,
)
from puad.core.machine import step
from puad.core.model import (
    Assessment,
    Facts,
    Offer,
    Plan,
    Schedules,
    SingleSchedule,
    Slot,
    SlotState,
    Verdict,
)
from puad.core.report import status_report
from puad.core.rules.installing import window_allows
from puad.core.rules.operator import refusal
from puad.core.run import Rules, Run, State
from puad.core.snapshot import dump_run, load_run
from puad.core.wire import StatusType

OFFERS = [Offer(f"edge/{n}.raw.zst", str(n), str(n) * 64, "edge") for n in range(2, 6)]
UNHEALTHY = {"3"}
UNBOOTABLE = {"4"}
RULES = Rules(tries=2, download_window=timedelta(minutes=5), immediate=timedelta(minutes=1))
SETTLED = {State.IDLE, State.STAGED, State.DONE, State.FAILED, State.ROLLED_BACK}


@dataclass
class Disk:
    """One slot, and what the boot loader knows of it."""

    image_id: str = ""
    good: bool = False
    bad: bool = False
    tries_left: int | None = None
    tries_done: int = 0
    sealed: bool = False

    def bootable(self) -> bool:
        return self.good or bool(self.tries_left)


class Node(RuleBasedStateMachine):
    """The world; each rule is something that can happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
        self.slots = {"a": Disk("1", good=True), "b": Disk()}
        self.booted = "a"
        self.boots = 0
        self.verdict: Verdict | None = None
        self.plan = Plan()
        self.server_up = True
        self.clock_trusted = True
        self.run = Run()
        self.stored: dict[str, Any] | None = None
        self.pending: deque[Action] = deque()
        self.released: set[str] = set()

    # the machine

    def moment(self, spread: float = 0.5) -> Moment:
        return Moment(self.now, self.clock_trusted, spread)

    def facts(self) -> Facts:
        def described(name: str, disk: Disk) -> Slot:
            state = SlotState.BOOTED if name == self.booted else SlotState.INACTIVE
            word = Assessment.GOOD if disk.good else Assessment.INDETERMINATE
            word = Assessment.BAD if disk.bad or disk.tries_left == 0 else word
            done = disk.tries_done or None
            return Slot(
                name, state, word, disk.tries_left, done, 9, disk.image_id, sealed=disk.sealed
            )

        slots = tuple(described(name, disk) for name, disk in self.slots.items())
        image = self.slots[self.booted].image_id
        return Facts(
            f"boot-{self.boots}", self.booted, self.target(), image, "edge", slots, self.verdict
        )

    def target(self) -> str:
        counted = [name for name, disk in self.slots.items() if disk.tries_left]
        good = [name for name, disk in self.slots.items() if disk.good]
        return (counted or [n for n in good if n == self.booted] or good)[0]

    def boot(self) -> None:
        """Power on: count, try, fall back."""
        self.pending.clear()
        for disk in self.slots.values():
            disk.sealed = False
        while True:
            self.booted = self.target()
            disk = self.slots[self.booted]
            if disk.good:
                break
            assert disk.tries_left
            disk.tries_left -= 1
            disk.tries_done += 1
            if disk.image_id not in UNBOOTABLE:
                break
        self.boots += 1
        self.start()

    def start(self) -> None:
        lost = self.stored is None
        self.run = Run() if self.stored is None else load_run(self.stored)
        self.feed(Started(self.moment(), self.facts(), RULES, store_lost=lost))

    def feed(self, event: Event) -> None:
        before = self.run
        self.run, actions = step(before, event)
        self.stored = dump_run(self.run)  # persisted before anything is performed
        for action in actions:
            self.judge(action)
            if isinstance(action, StopInstall):
                kept = [a for a in self.pending if not isinstance(a, Install)]
                self.pending = deque(kept)
            else:
                self.pending.append(action)
        if self.run.state is State.DONE and before.state is not State.DONE:
            disk = self.slots[self.booted]
            assert self.run.goal is not None
            assert self.run.goal.slot == self.booted
            assert disk.good
            assert not disk.image_id or disk.image_id == self.run.goal.offer.image_id

    def judge(self, action: Action) -> None:
        """What may never be asked for."""
        goal = self.run.goal
        if isinstance(action, Install):
            assert action.goal.slot != self.booted
            assert self.run.quarantined(action.goal.offer) is None
        if isinstance(action, Arm):
            assert goal is not None
            assert action.slot != self.booted
            assert goal.by_operator or window_allows(self.run, self.moment())
        if isinstance(action, Disarm):
            assert action.slot != self.booted

    def perform(  # noqa: C901, PLR0911, PLR0912 - one arm for each action
        self, action: Action, *, well: bool, code: Code
    ) -> Event | None:
        run_id = getattr(action, "run_id", "")
        match action:
            case Ask():
                if not self.server_up:
                    return NotAnswered(self.moment())
                taken = status_report(self.run).status_type
                if taken is StatusType.UPDATED:
                    assert self.run.state is State.DONE
                plan = replace(self.plan, answered_at=self.now)
                run_id = self.run.goal.run_id if self.run.goal else ""
                return Answered(self.moment(), plan, taken, run_id)
            case Look():
                return Looked(self.moment(), self.facts())
            case Install(goal):
                assert self.slots[self.booted].good
                disk = self.slots[goal.slot]
                self.slots[goal.slot] = disk = Disk()
                if not well:
                    transient = code is Code.DOWNLOAD_UNREACHABLE
                    step_ = Step.INSTALL
                    return Failed(self.moment(), goal.run_id, step_, code, "x", transient=transient)
                disk.image_id, disk.sealed = goal.offer.image_id, True
                return Sealed(self.moment(), goal.run_id)
            case Consult(goal):
                held_by = "" if well else "hook backup"
                return Consulted(self.moment(), goal.run_id, held_by)
            case Disarm(slot=slot):
                self.slots[slot] = Disk()
            case Arm(slot=slot, tries=tries):
                if not well or not self.slots[slot].sealed:
                    step_, refused = Step.ARM, Code.ARM_REFUSED
                    return Failed(self.moment(), run_id, step_, refused, "x", transient=False)
                self.slots[slot].tries_left, self.slots[slot].tries_done = tries, 0
                return Armed(self.moment(), run_id)
            case MarkBad(slot=slot):
                self.slots[slot].good, self.slots[slot].bad = False, True
                return Armed(self.moment(), run_id)
            case MarkGood(slot=slot):
                self.slots[slot].good, self.slots[slot].bad = True, False
            case Reboot():
                if well:
                    self.boot()
        return None

    # what can happen

    @initialize(offer=st.sampled_from(OFFERS), opened=st.booleans())
    def first_start(self, offer: Offer, opened: bool) -> None:
        opens = int(self.now.timestamp()) + (-3600 if opened else 3600)
        self.plan = Plan(offer, Schedules(SingleSchedule(opens, opens + 36 * 3600)))
        self.start()
        self.feed(Ticked(self.moment()))
        self.pending.append(Ask())

    @rule(minutes=st.sampled_from([0, 1, 5, 30, 90, 600]), spread=st.floats(0, 0.99))
    def time_passes(self, minutes: int, spread: float) -> None:
        self.now += timedelta(minutes=minutes)
        self.feed(Ticked(self.moment(spread)))

    @precondition(lambda self: self.pending)
    @rule(
        well=st.booleans(),
        code=st.sampled_from([Code.DOWNLOAD_UNREACHABLE, Code.SIGNATURE_INVALID, Code.DISK_FULL]),
    )
    def action_is_performed(self, well: bool, code: Code) -> None:
        self.perform_next(well=well, code=code)

    def perform_next(self, *, well: bool, code: Code) -> None:
        event = self.perform(self.pending.popleft(), well=well, code=code)
        if event is not None:
            self.feed(event)

    @rule(actions=st.integers(1, 6))
    def all_goes_well(self, actions: int) -> None:
        self.now += timedelta(minutes=1)
        self.feed(Ticked(self.moment()))
        self.pending.append(Ask())
        for _ in range(actions):
            if self.pending:
                self.perform_next(well=True, code=Code.INTERNAL)
        if not self.slots[self.booted].good:
            self.assess()

    @rule(what=st.sampled_from(["power", "power", "daemon", "daemon", "store"]))
    def disaster_strikes(self, what: str) -> None:
        self.pending.clear()
        if what == "store":
            self.stored = None
        if what == "power":
            self.boot()
        else:
            self.start()

    @rule(
        offer=st.sampled_from([None, *OFFERS]),
        opens=st.sampled_from([-600, -30, -1, 0, 1, 30, 600]),
        length=st.sampled_from([None, 1, 15, 60, 1200]),
    )
    def operator_plans(self, offer: Offer | None, opens: int, length: int | None) -> None:
        start = int(self.now.timestamp()) + 60 * opens
        single = SingleSchedule(start, start + 60 * length if length else 0)
        self.plan = Plan(offer, Schedules(single))
        self.pending.append(Ask())

    @rule(event=st.sampled_from([RunAsked, CancelAsked, RetryAsked, RollbackAsked]))
    def operator_speaks(self, event: type) -> None:
        asked = event(self.moment())
        if refusal(self.run, asked) is None:
            self.feed(asked)

    @rule(up=st.sampled_from([True, True, False]), trusted=st.sampled_from([True, True, False]))
    def surroundings_change(self, up: bool, trusted: bool) -> None:
        self.server_up, self.clock_trusted = up, trusted

    @precondition(lambda self: not self.slots[self.booted].good)
    @rule()
    def health_process_ends(self) -> None:
        self.assess()

    def assess(self) -> None:
        disk = self.slots[self.booted]
        good = disk.image_id not in UNHEALTHY and not disk.bad
        self.verdict = Verdict(f"boot-{self.boots}", self.booted, disk.image_id, good, (), self.now)
        if good:
            disk.good, disk.tries_left = True, None
        elif any(d.good for name, d in self.slots.items() if name != self.booted):
            self.boot()
        self.feed(Looked(self.moment(), self.facts()))

    # what must always hold

    @invariant()
    def something_good_can_boot(self) -> None:
        assert any(disk.good for disk in self.slots.values()) or self.slots[self.booted].bad

    @invariant()
    def at_most_one_slot_is_armed(self) -> None:
        assert sum(disk.tries_left is not None for disk in self.slots.values()) <= 1

    @invariant()
    def stored_run_is_the_run(self) -> None:
        if self.stored is not None:
            again = load_run(self.stored)
            assert replace(again, rules=self.run.rules, facts=self.run.facts) == self.run

    def teardown(self) -> None:
        """Left alone, with a server that answers and an image that is good, it comes to rest."""
        self.server_up = self.clock_trusted = True
        self.plan = Plan()
        for _ in range(60):
            while self.pending:
                self.perform_next(well=True, code=Code.INTERNAL)
            if not self.slots[self.booted].good:
                self.assess()
            self.now += timedelta(minutes=20)
            self.feed(Ticked(self.moment()))
        assert self.run.state in SETTLED


TestNode = Node.TestCase
TestNode.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
