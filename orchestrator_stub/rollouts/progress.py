# SPDX-License-Identifier: Apache-2.0
"""Progress: how the instances of each wave fare, counted for pages and the REST API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Instance, RolloutMember
from orchestrator_stub.vocabulary import Indication, MemberState


@dataclass(frozen=True, slots=True)
class WaveProgress:
    """How the instances of one wave fare; each is counted once.

    Attributes:
        number: The wave, from 0.
        waiting: They are not offered the image.
        offered: They are, and have not begun to reboot into it.
        updating: They have begun.
        updated: They run it.
        failed: It has failed there.
    """

    number: int
    waiting: int = 0
    offered: int = 0
    updating: int = 0
    updated: int = 0
    failed: int = 0

    @property
    def hosts(self) -> int:
        """How many there are."""
        return self.waiting + self.offered + self.updating + self.updated + self.failed


def progress(
    session: Session, rollout_ids: Iterable[str]
) -> Mapping[str, tuple[WaveProgress, ...]]:
    """The waves of some rollouts, each with at least one instance in it, by the rollout's id.

    One query, however many rollouts. A rollout without instances has no waves.
    """
    member = RolloutMember
    is_updating = and_(
        member.state == MemberState.OFFERED,
        Instance.update_status_indicator == Indication.IN_PROGRESS,
    )
    updating = case((is_updating, 1), else_=0)
    rows = session.execute(
        select(member.rollout_id, member.wave, member.state, updating, func.count())
        .join(Instance, Instance.id == member.instance_id)
        .where(member.rollout_id.in_(list(rollout_ids)))
        .group_by(member.rollout_id, member.wave, member.state, updating)
    )
    counts: defaultdict[str, defaultdict[int, dict[str, int]]]
    counts = defaultdict(lambda: defaultdict(dict))
    for rollout_id, wave, state, is_on_its_way, number in rows:
        counts[rollout_id][wave]["updating" if is_on_its_way else _NAMES[state]] = number
    found = {
        rollout_id: tuple(WaveProgress(wave, **waves[wave]) for wave in sorted(waves))
        for rollout_id, waves in counts.items()
    }
    return defaultdict(tuple, found)


_NAMES = {
    MemberState.WAITING: "waiting",
    MemberState.OFFERED: "offered",
    MemberState.UPDATED: "updated",
    MemberState.FAILED: "failed",
}
