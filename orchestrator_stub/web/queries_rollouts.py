# SPDX-License-Identifier: Apache-2.0
"""Rollouts with the counts of their waves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Host, Instance, Rollout, RolloutMember
from orchestrator_stub.rollouts import reason
from orchestrator_stub.rollouts.ending import is_by_server
from orchestrator_stub.rollouts.progress import WaveProgress, progress
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import MemberState, RolloutState
from orchestrator_stub.web.policies import wave_text
from orchestrator_stub.web.statuses import Shown

MAX_SHOWN: Final = 30
MAX_FAILED: Final = 20
_MARKS: Final = {
    RolloutState.RUNNING: "busy",
    RolloutState.PAUSED: "paused",
    RolloutState.STOPPED: "error",
    RolloutState.DONE: "idle",
}


@dataclass(frozen=True, slots=True)
class ShownWave:
    """One wave: how far it goes by the rules, and how its hosts fare."""

    number: int
    goes_to: str
    is_present: bool
    hosts: int
    waiting: int
    offered: int
    updating: int
    updated: int
    failed: int

    @property
    def ended(self) -> int:
        """How many hosts have come to their end, one way or the other."""
        return self.updated + self.failed


@dataclass(frozen=True, slots=True)
class FailedHost:
    """A host on which the image has failed."""

    id: str
    name: str
    state_s: int


@dataclass(frozen=True, slots=True)
class ShownRollout:
    """One rollout as the list shows it."""

    row: Rollout
    state: Shown
    because: str
    waves: list[ShownWave]
    pause_s: int
    failed: list[FailedHost]
    may_pause: bool
    may_resume: bool
    may_stop: bool

    @property
    def hosts(self) -> int:
        """How many hosts it has."""
        return sum(wave.hosts for wave in self.waves)

    @property
    def ended(self) -> int:
        """How many of them have come to their end."""
        return sum(wave.ended for wave in self.waves)


def newest(session: Session, project_uuid: str) -> list[ShownRollout]:
    """The rollouts of a project: those that go on first, then those that were made last."""
    goes_on = case((Rollout.state.in_([RolloutState.RUNNING, RolloutState.PAUSED]), 0), else_=1)
    rows = list(
        session.scalars(
            select(Rollout)
            .where(Rollout.project_uuid == project_uuid)
            .order_by(goes_on, Rollout.created_s.desc(), Rollout.id)
            .limit(MAX_SHOWN)
        )
    )
    found = progress(session, [row.id for row in rows])
    return [_shown(session, row, found[row.id]) for row in rows]


def _shown(session: Session, row: Rollout, found: tuple[WaveProgress, ...]) -> ShownRollout:
    rules = RolloutRules.load(row.policy.rollout) if row.policy.rollout else None
    goes_to = [wave_text(wave) for wave in rules.waves] if rules else []
    known = {wave.number: wave for wave in found}
    goes_on = row.state in {RolloutState.RUNNING, RolloutState.PAUSED}
    waves = []
    for number in range(max(len(goes_to), max(known, default=-1) + 1, row.wave + 1)):
        wave = known.get(number, WaveProgress(number))
        waves.append(
            ShownWave(
                number=number + 1,
                goes_to=goes_to[number] if number < len(goes_to) else "",
                is_present=number == row.wave and goes_on,
                hosts=wave.hosts,
                waiting=wave.waiting,
                offered=wave.offered,
                updating=wave.updating,
                updated=wave.updated,
                failed=wave.failed,
            )
        )
    word, because = reason.told(row)
    return ShownRollout(
        row=row,
        state=Shown(word, _MARKS[row.state]),
        because=because,
        waves=waves,
        pause_s=rules.pause_seconds if rules else 0,
        failed=_failed(session, row) if any(wave.failed for wave in waves) else [],
        may_pause=row.state is RolloutState.RUNNING,
        may_resume=row.state in {RolloutState.PAUSED, RolloutState.STOPPED}
        and not is_by_server(row)
        and row.os.withdrawn_reason is None,
        may_stop=goes_on,
    )


def _failed(session: Session, row: Rollout) -> list[FailedHost]:
    rows = session.execute(
        select(Host.id, Host.name, RolloutMember.state_s)
        .join(Instance, Instance.host_id == Host.id)
        .join(RolloutMember, RolloutMember.instance_id == Instance.id)
        .where(RolloutMember.rollout_id == row.id, RolloutMember.state == MemberState.FAILED)
        .order_by(RolloutMember.state_s.desc(), Host.name)
        .limit(MAX_FAILED)
    )
    return [FailedHost(*found) for found in rows]
