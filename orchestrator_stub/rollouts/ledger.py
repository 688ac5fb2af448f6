# SPDX-License-Identifier: Apache-2.0
"""The ledger: every rollout is made, moved on and ended here, from the records alone.

The sweep looks at each policy that has waves, and at one at once when hosts are linked to it:

1. A rollout whose image the policy does not want any more is ended (`ending`).
2. An image that it wants on some instance gets a rollout, or goes on with the one that it has.
3. Members are brought up to what is linked and what runs (`members`).
4. Waves move on, or the rollout stops (`waves`), and the image is offered (`offering`).

Everything is in the records, so a restart changes nothing. A project is swept by one process at a
time: whoever finds its row locked leaves it to the other. Locks are taken in the order project,
rollout, instance, member, as everybody else takes them.

Silence counts only from this process's own start: while no orchestrator runs, nobody can report.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import ColumnElement, Text, cast, select
from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.os_resources import Image, OSResources, may_be_offered
from orchestrator_stub.records import Instance, OSResource, Policy, Project, Rollout
from orchestrator_stub.rollouts import ending, members, waves
from orchestrator_stub.rollouts.offering import Turns
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.rollouts.waves import Standing
from orchestrator_stub.vocabulary import PolicyKind, RolloutState

SILENT_S: Final = 3600
"""A node that has not been in contact for so long does not hold up its wave."""

_STARTED_S: Final = int(time.time())
_GOES_ON: Final = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})

log = logging.getLogger(__name__)


def sweep(session: Session, now_s: int) -> None:
    """Move every rollout on as far as its rules and the time allow.

    Args:
        session: One that writes.
        now_s: The time.
    """
    _follow_policies(session, now_s)


def follow(session: Session, policy_id: str, now_s: int) -> None:
    """Move the rollouts of one policy on, as when hosts have been linked to it.

    They need not wait for the next sweep then, and nobody is told that they do.

    Args:
        session: One that writes, in which no instance is locked.
        policy_id: The policy; one without waves has no rollouts.
        now_s: The time.
    """
    _follow_policies(session, now_s, Policy.id == policy_id)


def _follow_policies(session: Session, now_s: int, *which: ColumnElement[bool]) -> None:
    staged = (
        select(Policy)
        .where(cast(Policy.rollout, Text) != "{}", *which)
        .order_by(Policy.project_uuid, Policy.id)
        .options(lazyload("*"))
    )
    shelves: dict[str, OSResources | None] = {}
    for policy in session.scalars(staged).all():
        project_uuid = policy.project_uuid
        if project_uuid not in shelves:
            shelves[project_uuid] = _locked(session, project_uuid)
        resources = shelves[project_uuid]
        if resources is None:
            continue
        try:
            rules = RolloutRules.load(policy.rollout)
        except OrchestratorError as error:
            log.warning("policy %s is not rolled out: %s", policy.id, error)
            continue
        _Staged(session, policy, rules, resources, now_s).sweep()
    session.flush()


def _locked(session: Session, project_uuid: str) -> OSResources | None:
    """The OS resources of a project that nobody else sweeps meanwhile; None when somebody does."""
    mine = select(Project.uuid).where(Project.uuid == project_uuid)
    if session.scalar(mine.with_for_update(skip_locked=True)) is None:
        return None
    return OSResources(session, project_uuid)


class _Staged:
    """One policy that has waves, and the rollouts of its images."""

    def __init__(
        self,
        session: Session,
        policy: Policy,
        rules: RolloutRules,
        resources: OSResources,
        now_s: int,
    ) -> None:
        self._session = session
        self._policy = policy
        self._rules = rules
        self._resources = resources
        self._now_s = now_s

    def sweep(self) -> None:
        """Bring its rollouts up to date."""
        rollouts = self._rollouts()
        wanted = self._wanted(rollouts)
        for rollout in rollouts:
            image = self._resources.with_id(rollout.os_id)
            instead = wanted.get(image.profile_name) if image else None
            if rollout.state in _GOES_ON and (instead is None or instead.id != rollout.os_id):
                ending.end(rollout, image, instead, self._now_s)
                log.info("rollout %s: %s", rollout.id, rollout.reason)
        known = {rollout.os_id: rollout for rollout in rollouts}
        for image in wanted.values():
            self._follow(image, known.get(image.id))

    def _rollouts(self) -> Sequence[Rollout]:
        mine = (
            select(Rollout)
            .where(Rollout.policy_id == self._policy.id)
            .order_by(Rollout.id)
            .with_for_update(of=Rollout)
            .options(lazyload("*"))
            .execution_options(populate_existing=True)
        )
        return self._session.scalars(mine).all()

    def _wanted(self, rollouts: Sequence[Rollout]) -> Mapping[str, Image]:
        """The image that the policy wants of each profile that it has to do with."""
        if self._policy.kind is PolicyKind.TARGET:
            target = self._resources.with_id(self._policy.target_os_id)
            return {target.profile_name: target} if target and may_be_offered(target) else {}
        linked = select(Instance.profile_name).where(Instance.policy_id == self._policy.id)
        profiles = set(self._session.scalars(linked.distinct()))
        images = (self._resources.with_id(rollout.os_id) for rollout in rollouts)
        profiles |= {image.profile_name for image in images if image}
        newest = {profile: self._resources.newest(profile) for profile in sorted(profiles)}
        return {profile: image for profile, image in newest.items() if image}

    def _follow(self, image: Image, rollout: Rollout | None) -> None:
        """Move the rollout of an image that is wanted on, or make it."""
        resource = self._session.get_one(OSResource, image.id, options=[lazyload("*")])
        wanting = members.wanting(self._session, self._policy, resource)
        if rollout is None:
            if self._session.scalar(wanting.limit(1)) is None:
                return
            rollout = self._make(image)
        if ending.is_by_server(rollout):
            ending.take_up(rollout)
        members.keep(self._session, rollout, wanting, self._rules, resource, self._now_s)
        self._move(rollout, image)

    def _make(self, image: Image) -> Rollout:
        rollout = Rollout(
            project_uuid=self._policy.project_uuid,
            policy_id=self._policy.id,
            os_id=image.id,
            wave_start_s=self._now_s,
        )
        self._session.add(rollout)
        self._session.flush()
        log.info("rollout %s of %s begins", rollout.id, image.name)
        return rollout

    def _move(self, rollout: Rollout, image: Image) -> None:
        turns = Turns(self._session, rollout, self._silent_before_s, self._now_s)
        limited = self._rules.max_at_once is not None
        if limited and rollout.state is RolloutState.RUNNING:
            turns.take_back(image.image_id)
        tallies = turns.tallies(waves.count(self._rules))
        before = Standing(
            rollout.state,
            rollout.wave,
            rollout.wave_start_s,
            rollout.wave_done_s,
            rollout.reason,
            rollout.end_s,
        )
        standing = waves.advance(self._rules, before, tallies, self._now_s)
        if standing != before:
            for name, value in asdict(standing).items():
                setattr(rollout, name, value)
            self._session.flush()
            log.info(
                "rollout %s: wave %s, %s %s",
                rollout.id,
                rollout.wave,
                rollout.state,
                rollout.reason,
            )
        turns.offer(waves.offers(self._rules, standing, tallies), in_turns=limited)

    @property
    def _silent_before_s(self) -> int | None:
        if self._now_s - _STARTED_S <= SILENT_S:
            return None
        return self._now_s - SILENT_S
