# SPDX-License-Identifier: Apache-2.0
"""What a node is told to install, and when: its policy and its schedules, resolved.

Rules (protocol.md §1, §3a, "Decided"):

1. No policy: no offer. TARGET: its OS resource, even when the node runs it already. LATEST: the
   newest of the profile, but never one that is older than what the node runs.
2. A withdrawn OS resource is offered to nobody.
3. Only schedules of status OS_UPDATE count. All repeated ones are sent; of the single ones that
   are not over, the one whose start is closest to now.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub import tables
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.tables import Instance, OSResource
from orchestrator_stub.vocabulary import PolicyKind, ScheduleStatus
from puad.core.model import Offer, RepeatedSchedule, Schedules, SingleSchedule
from puad.core.version import compare_versions
from puad.core.wire import MAX_SCHEDULES


def wanted_os(instance: Instance, resources: OSResources) -> OSResource | None:
    """The OS resource that an instance's policy wants on it now."""
    policy = instance.policy
    if policy is None:
        return None
    if policy.kind is PolicyKind.TARGET:
        target = policy.target_os
        return target if target is not None and target.withdrawn_reason is None else None
    newest = resources.newest(instance.profile_name)
    if newest is None or compare_versions(newest.image_id, instance.image_id) < 0:
        return None
    return newest


def offer(instance: Instance, resources: OSResources) -> Offer | None:
    """The image that an instance's policy wants on it now."""
    wanted = wanted_os(instance, resources)
    if wanted is None:
        return None
    return Offer(
        url=wanted.image_url,
        image_id=wanted.image_id,
        file_hash=wanted.file_hash,
        profile_name=wanted.profile_name,
        profile_version=wanted.profile_version,
    )


def schedules(session: Session, host_id: str, now_s: int) -> Schedules:
    """The windows in which the node of a host may update."""
    return Schedules(
        single=_closest_single(session, host_id, now_s), repeated=_all_repeated(session, host_id)
    )


def _closest_single(session: Session, host_id: str, now_s: int) -> SingleSchedule | None:
    rows = session.scalars(
        select(tables.SingleSchedule).where(
            tables.SingleSchedule.host_id == host_id,
            tables.SingleSchedule.schedule_status == ScheduleStatus.OS_UPDATE,
        )
    )
    return closest((SingleSchedule(row.start_s, row.end_s) for row in rows), now_s)


def closest(singles: Iterable[SingleSchedule], now_s: int) -> SingleSchedule | None:
    """Of the single schedules that are not over, the one that starts closest to now."""
    left = [single for single in singles if single.end_s == 0 or now_s < single.end_s]
    return min(left, key=lambda single: (abs(now_s - single.start_s), single.start_s), default=None)


def _all_repeated(session: Session, host_id: str) -> tuple[RepeatedSchedule, ...]:
    rows = session.scalars(
        select(tables.RepeatedSchedule)
        .where(
            tables.RepeatedSchedule.host_id == host_id,
            tables.RepeatedSchedule.schedule_status == ScheduleStatus.OS_UPDATE,
        )
        .order_by(tables.RepeatedSchedule.created_s, tables.RepeatedSchedule.id)
        .limit(MAX_SCHEDULES)
    )
    return tuple(
        RepeatedSchedule(
            duration_s=row.duration_s,
            cron_minutes=row.cron_minutes,
            cron_hours=row.cron_hours,
            cron_day_month=row.cron_day_month,
            cron_month=row.cron_month,
            cron_day_week=row.cron_day_week,
        )
        for row in rows
    )
