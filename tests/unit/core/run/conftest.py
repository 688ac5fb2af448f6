# SPDX-License-Identifier: Apache-2.0
"""Values to build runs from: one node, its slots, one wanted image, one window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from puad.core.errors import Code
from puad.core.events import Moment
from puad.core.model import (
    Assessment,
    Facts,
    Offer,
    Plan,
    ProbeResult,
    Schedules,
    SingleSchedule,
    Slot,
    SlotState,
    Verdict,
)
from puad.core.run import Cause, Goal, Run, State

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
WANTED = Offer("edge/2/edge-2.raw.zst", "2", "2" * 64, "edge")
OTHER = Offer("edge/3/edge-3.raw.zst", "3", "3" * 64, "edge")


@dataclass(frozen=True)
class World:
    """The node as the tests know it; every builder takes what is to differ."""

    now: datetime = NOW
    offer: Offer = WANTED
    other: Offer = OTHER

    def moment(self, **changes: Any) -> Moment:
        return replace(Moment(self.now), **changes)

    def facts(
        self, booted: str = "a", image: str = "1", boot_id: str = "boot-1", **b: Any
    ) -> Facts:
        slots = (
            Slot("a", SlotState.BOOTED, Assessment.GOOD, size_bytes=1 << 30, image_id="1"),
            replace(
                Slot("b", SlotState.INACTIVE, Assessment.INDETERMINATE, size_bytes=1 << 30), **b
            ),
        )
        return Facts(boot_id, booted, "a", image, "edge", slots)

    def in_b(self, **b: Any) -> Facts:
        """The new slot is booted, in its first try."""
        counted = {"tries_left": 2, "tries_done": 1, **b}
        return replace(self.facts("b", "2", "boot-2", **counted), primary_slot="b")

    def window(self, start_s: int = -60, end_s: int = 7200) -> Schedules:
        at = int(self.now.timestamp())
        return Schedules(SingleSchedule(at + start_s, at + end_s if end_s else 0))

    def plan(self, schedules: Schedules | None = None, *, age_s: int = 5) -> Plan:
        answered_at = self.now - timedelta(seconds=age_s)
        return Plan(self.offer, schedules or Schedules(), answered_at)

    def goal(self, **changes: Any) -> Goal:
        started = self.now - timedelta(minutes=5)
        plain = Goal("run-1", self.offer, "b", started, armed_in="boot-1", released_at=self.now)
        return replace(plain, **changes)

    def cause(self, code: Code = Code.PROBE_FAILED) -> Cause:
        return Cause(code, "it went wrong", self.now - timedelta(minutes=1))

    def run(self, state: State, **changes: Any) -> Run:
        goal = None if state is State.IDLE else self.goal()
        cause = self.cause() if state in {State.FAILED, State.ROLLED_BACK} else None
        base = Run(state, goal, self.plan(), cause, facts=self.facts())
        return replace(base, **changes)

    def verdict(self, *, good: bool, slot: str = "b", age_s: int = 10) -> Verdict:
        probe = ProbeResult("web", required=True, passed=good, reason="" if good else "exit code 1")
        at = self.now - timedelta(seconds=age_s)
        return Verdict("boot-2", slot, "2", good, (probe,), at)


@pytest.fixture
def world() -> World:
    return World()
