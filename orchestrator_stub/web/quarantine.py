# SPDX-License-Identifier: Apache-2.0
"""What is in quarantine, on one host and on how many: what the pages say of it.

An image is known by its file hash. It is in quarantine on a host when its node says so. Not every
node does, so what the policy wants is, too, when it has failed there in the policy's rollout. What
an operator has released stands in the instance's `released` until the node has taken it up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, and_, cast, or_, select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Instance, OSResource, Policy, Rollout, RolloutMember
from orchestrator_stub.vocabulary import MemberState, PolicyKind


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An image that is not tried again on a host by itself."""

    file_hash: str
    name: str
    is_released: bool


def of(session: Session, instance: Instance) -> tuple[Quarantined, ...]:
    """What is in quarantine on an instance's host."""
    failed = session.scalars(_failed(OSResource.file_hash).where(Instance.id == instance.id))
    hashes = list(dict.fromkeys([*instance.quarantine, *failed]))
    if not hashes:
        return ()
    rows = session.execute(
        select(OSResource.file_hash, OSResource.name).where(
            OSResource.project_uuid == instance.project_uuid, OSResource.file_hash.in_(hashes)
        )
    )
    names = {row.file_hash: row.name for row in rows}
    return tuple(
        Quarantined(one, names.get(one, f"Image {one[:12]}…"), one in instance.released)
        for one in hashes
    )


def counts(session: Session, project_uuid: str) -> Counter[str]:
    """On how many hosts each image is in quarantine and has not been released, by file hash."""
    rows = session.execute(
        select(Instance.id, Instance.quarantine, Instance.released).where(
            Instance.project_uuid == project_uuid,
            # few instances have any: a look at the text spares reading ten thousand lists
            cast(Instance.quarantine, Text) != "[]",
        )
    )
    kept = {(row.id, one) for row in rows for one in row.quarantine if one not in row.released}
    failed = _failed(Instance.id, OSResource.file_hash, Instance.released).where(
        Instance.project_uuid == project_uuid
    )
    for instance_id, file_hash, released in session.execute(failed):
        if file_hash not in released:
            kept.add((instance_id, file_hash))
    return Counter(file_hash for _, file_hash in kept)


def _failed(*columns: Any) -> Select[Any]:  # noqa: ANN401 - SQLAlchemy's own
    """Where images have failed that the policy wants there."""
    is_newest = and_(Policy.kind == PolicyKind.LATEST, Instance.available_os_id == Rollout.os_id)
    return (
        select(*columns)
        .select_from(RolloutMember)
        .join(Rollout, Rollout.id == RolloutMember.rollout_id)
        .join(OSResource, OSResource.id == Rollout.os_id)
        .join(Instance, Instance.id == RolloutMember.instance_id)
        .join(Policy, and_(Policy.id == Rollout.policy_id, Policy.id == Instance.policy_id))
        .where(
            RolloutMember.state == MemberState.FAILED,
            or_(is_newest, Policy.target_os_id == Rollout.os_id),
        )
    )
