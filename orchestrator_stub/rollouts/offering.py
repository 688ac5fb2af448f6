# SPDX-License-Identifier: Apache-2.0
"""Offering: whose turn it is in the waves that have begun.

Without a limit, all of them at once. With one, at most so many hosts have the offer at a time, and
it is for hosts that can use it: their node is in contact, and their maintenance window is open or
opens soon. A host that has not begun when its window has closed, or that is silent, gives its turn
back. A host that has begun keeps it to its end.

What a node is told changes with this, and it may be answered from memory. Few are told by raising
their instances' versions, many by raising the project's revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, not_, select, update
from sqlalchemy.orm import Session

from orchestrator_stub.records import (
    OPEN_END_S,
    Host,
    Instance,
    Rollout,
    RolloutMember,
    UpdateRun,
    raise_revision,
)
from orchestrator_stub.rollouts.members import PENDING, set_state
from orchestrator_stub.rollouts.places import soon
from orchestrator_stub.rollouts.waves import Tally
from orchestrator_stub.schedules.places import Places
from orchestrator_stub.vocabulary import Indication, MemberState

FEW: Final = 200


class Turns:
    """The turns of one rollout at one time."""

    def __init__(
        self, session: Session, rollout: Rollout, silent_before_s: int | None, now_s: int
    ) -> None:
        self._session = session
        self._rollout = rollout
        self._silent_before_s = silent_before_s
        self._now_s = now_s

    def take_back(self, image_id: str) -> None:
        """Let those wait again whose turn is of no use to them."""
        begun = _has_begun(image_id)
        # it began before it could hear that its turn was over
        early = self._session.scalars(self._members(MemberState.WAITING).where(begun)).all()
        self._turn(early, MemberState.OFFERED)
        idle = self._members(MemberState.OFFERED).where(~begun)
        self._turn([one for one, usable in self._usable(idle) if not usable], MemberState.WAITING)

    def tallies(self, waves: int) -> tuple[Tally, ...]:
        """How the members of each wave fare."""
        member = RolloutMember
        silent = case((self._is_silent, 1), else_=0)
        rows = self._session.execute(
            select(member.wave, member.state, member.accepted, silent, func.count())
            .join(Instance, Instance.id == member.instance_id)
            .join(Host, Host.id == Instance.host_id)
            .where(member.rollout_id == self._rollout.id)
            .group_by(member.wave, member.state, member.accepted, silent)
        )
        counts: list[Counter[str]] = [Counter() for _ in range(waves)]
        for wave, state, accepted, is_silent, number in rows:
            counts[wave][_FIELDS[state]] += number
            if state in PENDING and is_silent:
                counts[wave]["silent"] += number
            if state is MemberState.FAILED and accepted:
                counts[wave]["accepted"] += number
        return tuple(Tally(**count) for count in counts)

    def offer(self, number: int, *, in_turns: bool) -> None:
        """Offer the image to so many of those that wait in a wave that has begun.

        Args:
            number: So many.
            in_turns: Whether only to those that can use it now.
        """
        if number:
            waiting = self._members(MemberState.WAITING)
            usable = (one for one, usable in self._usable(waiting) if usable or not in_turns)
            self._turn(list(islice(usable, number)), MemberState.OFFERED)

    @property
    def _is_silent(self) -> ColumnElement[bool]:
        if self._silent_before_s is None:
            return false()
        seen_s = func.coalesce(Host.last_seen_s, 0)
        is_booting = Instance.update_status_indicator == Indication.IN_PROGRESS
        return and_(seen_s < self._silent_before_s, not_(is_booting))

    @cached_property
    def _soon(self) -> Places:
        return soon(self._session, self._rollout.project_uuid, self._now_s)

    def _members(self, state: MemberState) -> Select[str]:
        member = RolloutMember
        return (
            select(member.instance_id)
            .join(Instance, Instance.id == member.instance_id)
            .join(Host, Host.id == Instance.host_id)
            .where(
                member.rollout_id == self._rollout.id,
                member.wave <= self._rollout.wave,
                member.state == state,
            )
            .order_by(member.wave, member.state_s, member.instance_id)
        )

    def _usable(self, members: Select[str]) -> Iterator[tuple[str, bool]]:
        """Members, and whether each could use its turn now."""
        silent = case((self._is_silent, 1), else_=0)
        columns = members.add_columns(Host.id, Host.site_id, silent)
        for instance_id, host_id, site_id, is_silent in self._session.execute(columns):
            yield instance_id, not is_silent and self._soon.hold(host_id, site_id)

    def _turn(self, instance_ids: Sequence[str], state: MemberState) -> None:
        if not instance_ids:
            return
        # the instances first: a poll locks its instance before its member
        if len(instance_ids) > FEW:
            raise_revision(self._session, self._rollout.project_uuid)
        else:
            self._session.execute(
                update(Instance)
                .where(Instance.id.in_(instance_ids))
                .values(version=Instance.version + 1)
                .execution_options(synchronize_session=False)
            )
        set_state(self._session, self._rollout, instance_ids, state, self._now_s)


def _has_begun(image_id: str) -> ColumnElement[bool]:
    return exists().where(
        UpdateRun.instance_id == Instance.id,
        UpdateRun.end_s == OPEN_END_S,
        UpdateRun.started_s > 0,
        UpdateRun.image_id == image_id,
    )


_FIELDS: Final = {
    MemberState.WAITING: "waiting",
    MemberState.OFFERED: "offered",
    MemberState.UPDATED: "updated",
    MemberState.FAILED: "failed",
}
