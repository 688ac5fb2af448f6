# SPDX-License-Identifier: Apache-2.0
"""Members: which instances are in a rollout, and in which wave.

Members are the instances that the policy is linked to and on which it wants the image: of its
profile, provisioned, on a host that is trusted, and running another image (an older one, when the
policy is LATEST). Whoever runs the image by other ways has updated. Whoever is unlinked before
its update has begun is removed; what has come to its end still counts, so that nobody can unlink
the failures away. Where the image had failed before, by another policy, it has failed here too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Select, and_, delete, exists, insert, select, update
from sqlalchemy.orm import Session

from orchestrator_stub.records import Host, Instance, OSResource, Policy, Rollout, RolloutMember
from orchestrator_stub.rollouts import quarantine, waves
from orchestrator_stub.rollouts.quarantine import batches
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import (
    HostState,
    Indication,
    InstanceState,
    MemberState,
    PolicyKind,
)
from puad.core.version import compare_versions

PENDING: Final = (MemberState.WAITING, MemberState.OFFERED)


def wanting(session: Session, policy: Policy, image: OSResource) -> Select[str]:
    """The ids of the instances on which a policy wants an image that they do not run."""
    linked = and_(
        Instance.policy_id == policy.id,
        Instance.profile_name == image.profile_name,
        Instance.state == InstanceState.RUNNING,
    )
    running = session.scalars(select(Instance.image_id).where(linked).distinct())
    others = [image_id for image_id in running if _is_behind(policy, image, image_id)]
    return (
        select(Instance.id)
        .join(Host, Host.id == Instance.host_id)
        .where(linked, Instance.image_id.in_(others), Host.state == HostState.ONBOARDED)
    )


def keep(
    session: Session,
    rollout: Rollout,
    wanted: Select[str],
    rules: RolloutRules,
    image: OSResource,
    now_s: int,
) -> None:
    """Bring the members of a rollout up to what is linked and what runs."""
    _note_updated(session, rollout, image, now_s)
    _remove(session, rollout, wanted)
    is_member = exists().where(
        RolloutMember.rollout_id == rollout.id, RolloutMember.instance_id == Instance.id
    )
    fresh = session.scalars(wanted.where(~is_member)).all()
    if fresh:
        _add(session, rollout, rules, image, fresh, now_s)


def _is_behind(policy: Policy, image: OSResource, image_id: str) -> bool:
    if policy.kind is PolicyKind.TARGET:
        return image_id != image.image_id
    return compare_versions(image.image_id, image_id) > 0


def _pending(rollout: Rollout) -> Select[str]:
    return (
        select(RolloutMember.instance_id)
        .join(Instance, Instance.id == RolloutMember.instance_id)
        .where(
            RolloutMember.rollout_id == rollout.id,
            RolloutMember.state.in_(PENDING),
            # whoever is on its way will say itself how it went
            Instance.update_status_indicator != Indication.IN_PROGRESS,
        )
    )


def _note_updated(session: Session, rollout: Rollout, image: OSResource, now_s: int) -> None:
    runs_it = and_(Instance.image_id == image.image_id, Instance.profile_name == image.profile_name)
    there = session.scalars(_pending(rollout).where(runs_it)).all()
    set_state(session, rollout, there, MemberState.UPDATED, now_s)


def _remove(session: Session, rollout: Rollout, wanted: Select[str]) -> None:
    gone = session.scalars(_pending(rollout).where(Instance.id.not_in(wanted))).all()
    for some in batches(gone):
        session.execute(
            delete(RolloutMember)
            .where(RolloutMember.rollout_id == rollout.id, RolloutMember.instance_id.in_(some))
            .execution_options(synchronize_session=False)
        )


def set_state(
    session: Session,
    rollout: Rollout,
    instance_ids: Sequence[str],
    state: MemberState,
    now_s: int,
) -> None:
    """Write down how some members fare."""
    _change(session, rollout, instance_ids, state=state, state_s=now_s)


def _add(
    session: Session,
    rollout: Rollout,
    rules: RolloutRules,
    image: OSResource,
    fresh: Sequence[str],
    now_s: int,
) -> None:
    """Give new members a wave, and those another one that are in none that has begun."""
    known = _waves(session, rollout)
    if not known:  # nobody has been in it: it begins now
        rollout.wave, rollout.wave_start_s, rollout.wave_done_s = 0, now_s, 0
    begun = [0] * (rollout.wave + 1 if known else 0)
    later: dict[str, int] = {}
    for instance_id, wave in known.items():
        if wave < len(begun):
            begun[wave] += 1
        else:
            later[instance_id] = wave
    place = waves.placed(rules, rollout.id, [*later, *fresh], begun)
    _insert(session, rollout, image, {one: place.pop(one) for one in fresh}, now_s)
    moved: defaultdict[int, list[str]] = defaultdict(list)
    for instance_id, wave in place.items():
        if later[instance_id] != wave:
            moved[wave].append(instance_id)
    for wave, instance_ids in moved.items():
        _change(session, rollout, instance_ids, wave=wave)


def _waves(session: Session, rollout: Rollout) -> dict[str, int]:
    rows = session.execute(
        select(RolloutMember.instance_id, RolloutMember.wave).where(
            RolloutMember.rollout_id == rollout.id
        )
    )
    return {row.instance_id: row.wave for row in rows}


def _insert(
    session: Session, rollout: Rollout, image: OSResource, place: dict[str, int], now_s: int
) -> None:
    held = quarantine.holding(image).add_columns(Instance.released)
    failed = {row.id for row in session.execute(held) if image.file_hash not in row.released}
    session.execute(
        insert(RolloutMember),
        [
            {
                "rollout_id": rollout.id,
                "instance_id": instance_id,
                "wave": wave,
                "state": MemberState.FAILED if instance_id in failed else MemberState.WAITING,
                "state_s": now_s,
                "accepted": instance_id in failed,
            }
            for instance_id, wave in place.items()
        ],
    )


def _change(
    session: Session, rollout: Rollout, instance_ids: Sequence[str], **values: object
) -> None:
    for some in batches(instance_ids):
        session.execute(
            update(RolloutMember)
            .where(RolloutMember.rollout_id == rollout.id, RolloutMember.instance_id.in_(some))
            .values(**values)
            .execution_options(synchronize_session=False)
        )
