# SPDX-License-Identifier: Apache-2.0
"""Quarantine: where an image has failed, and letting it be tried there again.

A host that fails is not offered the image again by its rollout until it is released. The release
reaches the node with its next poll, and in its rollout the host waits for its turn again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Select, Text, and_, cast, exists, or_, select, update
from sqlalchemy.orm import Session, aliased, lazyload

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Instance, OSResource, Rollout, RolloutMember, UpdateRun
from orchestrator_stub.vocabulary import Indication, MemberState

AT_ONCE: Final = 500
"""Ids in one statement: databases bound the number of its parameters."""


def holding(image: OSResource) -> Select[str]:
    """The ids of the instances where an image is quarantined, or its last run has failed."""
    newer = aliased(UpdateRun)
    failed = select(UpdateRun.instance_id).where(
        UpdateRun.project_uuid == image.project_uuid,
        UpdateRun.image_id == image.image_id,
        UpdateRun.status_indicator == Indication.ERROR,
        ~exists().where(
            newer.instance_id == UpdateRun.instance_id,
            newer.image_id == UpdateRun.image_id,
            newer.number > UpdateRun.number,
        ),
    )
    return select(Instance.id).where(
        Instance.project_uuid == image.project_uuid,
        Instance.profile_name == image.profile_name,
        or_(
            cast(Instance.quarantine, Text).contains(image.file_hash),
            and_(Instance.image_id != image.image_id, Instance.id.in_(failed)),
        ),
    )


def release_everywhere(session: Session, os_resource: OSResource) -> int:
    """Have an image tried again wherever it has failed.

    Args:
        session: One that writes.
        os_resource: The image.

    Returns:
        For how many instances it was released.
    """
    ids = session.scalars(holding(os_resource).order_by(Instance.id)).all()
    for some in batches(ids):
        _release(session, some, os_resource.file_hash)
        _wait_again(session, some, [os_resource.id])
    return len(ids)


def release(session: Session, instance: Instance, file_hash: str) -> None:
    """Have an image tried again on one instance.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, when it has not failed there.
    """
    same = and_(
        OSResource.project_uuid == instance.project_uuid,
        OSResource.profile_name == instance.profile_name,
        OSResource.file_hash == file_hash,
    )
    images = session.scalars(select(OSResource).where(same).options(lazyload("*"))).all()
    failed = any(
        session.scalar(holding(image).where(Instance.id == instance.id)) for image in images
    )
    if not failed and file_hash not in instance.quarantine:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"no image with the hash {file_hash} has failed on instance {instance.id}",
        )
    if file_hash not in instance.released:
        instance.released = sorted({*instance.released, file_hash})
        session.flush()
    _wait_again(session, [instance.id], [image.id for image in images])


def batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """The ids, so many at a time as one statement takes."""
    left = iter(ids)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _release(session: Session, ids: list[str], file_hash: str) -> None:
    """Add a hash to what is released for some instances, whatever their nodes report meanwhile."""
    rows = session.execute(
        select(Instance.id, Instance.released)
        .where(Instance.id.in_(ids))
        .order_by(Instance.id)
        .with_for_update()
    )
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for instance_id, released in rows:
        if file_hash not in released:
            alike[json.dumps(sorted({*released, file_hash}))].append(instance_id)
    for wanted, some in alike.items():
        session.execute(
            update(Instance)
            .where(Instance.id.in_(some))
            .values(released=json.loads(wanted), version=Instance.version + 1)
            .execution_options(synchronize_session=False)
        )


def _wait_again(session: Session, ids: Sequence[str], os_ids: Sequence[str]) -> None:
    """Let instances where an image has failed wait for their turn in its rollouts again."""
    session.execute(
        update(RolloutMember)
        .where(
            RolloutMember.instance_id.in_(ids),
            RolloutMember.rollout_id.in_(select(Rollout.id).where(Rollout.os_id.in_(os_ids))),
            RolloutMember.state == MemberState.FAILED,
        )
        .values(state=MemberState.WAITING, state_s=0, accepted=False)
        .execution_options(synchronize_session="fetch")
    )
