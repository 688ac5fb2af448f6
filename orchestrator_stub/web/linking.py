# SPDX-License-Identifier: Apache-2.0
"""Linking instances to an OS update policy: of one host, and of many at once.

Which policy fits which instance is said in `orchestrator_stub.policies`. Where many are linked at
once, what does not fit is left as it is, and said.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from orchestrator_stub import rollouts
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.policies import check_fit, check_fits_any
from orchestrator_stub.records import Instance, Policy
from orchestrator_stub.web.visit import Visit

_BATCH: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Linked:
    """How many instances follow a policy from now on, and how many it does not fit."""

    changed: int
    already: int
    unfit: int


def link(instance: Instance, policy: Policy | None, shown_policy_id: str) -> None:
    """Link one instance to a policy, or to none.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, when it does not fit; `ABORTED`, when the policy
            is not the one that the operator saw any more.
    """
    if (instance.policy_id or "") != shown_policy_id:
        raise OrchestratorError(
            Code.ABORTED,
            "Somebody else has changed the policy of this host meanwhile.",
            hint="Nothing was changed; look at it again.",
        )
    if policy is not None:
        check_fit(policy, instance.profile_name)
    instance.policy = policy


def link_many(session: Session, policy: Policy | None, wanted: Select[Any]) -> Linked:
    """Link instances to a policy, or to none, in one statement.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, when the policy fits no instance at all.
    """
    if policy is not None:
        check_fits_any(policy)
    # the ids are counted first, because the change itself may take them out of what was wanted
    ids = list(session.scalars(wanted))
    total = len(set(ids))
    unfit = changed = 0
    for start in range(0, len(ids), _BATCH):
        batch = Instance.id.in_(ids[start : start + _BATCH])
        fits: list[ColumnElement[bool]] = [batch]
        if policy is not None and policy.target_os is not None:
            fits.append(Instance.profile_name == policy.target_os.profile_name)
            unfit += _count(session, batch, Instance.profile_name != policy.target_os.profile_name)
        policy_id = policy.id if policy else None
        fits.append(Instance.policy_id.is_distinct_from(policy_id))
        changed += _count(session, *fits)
        session.execute(
            update(Instance)
            .where(*fits)
            .values(policy_id=policy_id, version=Instance.version + 1, updated_s=int(time.time()))
            .execution_options(synchronize_session=False)
        )
    return Linked(changed, total - changed - unfit, unfit)


def follow(visit: Visit, policy_id: str) -> None:
    """Let the hosts that were linked to a policy take their places in its rollouts at once.

    This is a transaction of its own: a rollout is locked before its instances.
    """
    try:
        visit.services.database.write(
            lambda session: rollouts.follow(session, policy_id, visit.now_s)
        )
    except OrchestratorError as error:
        log.warning("the next sweep takes the hosts of %s into its rollouts: %s", policy_id, error)


def told(linked: Linked, policy: Policy | None) -> str:
    """What linking has done, in a sentence or two."""
    hosts = f"{linked.changed:,} {'host' if linked.changed == 1 else 'hosts'}"
    what = (
        f"Policy {policy.name} is linked to {hosts}."
        if policy
        else f"{hosts} {'has' if linked.changed == 1 else 'have'} no OS update policy any more."
    )
    if linked.already:
        what += f" {linked.already:,} had it already." if policy else ""
    if linked.unfit:
        what += (
            f" {linked.unfit:,} {'was' if linked.unfit == 1 else 'were'} left as before, "
            "because the policy is for another OS profile."
        )
    return what


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(Instance.id)).where(*conditions)) or 0
