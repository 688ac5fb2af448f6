# SPDX-License-Identifier: Apache-2.0
"""What the page of one host reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orchestrator_stub.access.node_token import EXPIRY_WARNING_S
from orchestrator_stub.maintenance.outlook import Outlook, outlook, wanted
from orchestrator_stub.maintenance.status import in_maintenance
from orchestrator_stub.policies import why_unfit
from orchestrator_stub.records import Host, Instance, OSResource, Site, UpdateRun
from orchestrator_stub.rollouts.hold import hold
from orchestrator_stub.schedules.inheritance import Windows, for_host
from orchestrator_stub.web import cves, history, quarantine, statuses
from orchestrator_stub.web.clock import Clock
from orchestrator_stub.web.queries_policies import usable
from orchestrator_stub.web.upcoming import by_next_window

MAX_RUNS: Final = 20
MAX_SITES: Final = 1000


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot as its node last told it."""

    name: str
    image_id: str
    state: str
    assessment: str


def live_host(session: Session, host: Host, clock: Clock) -> dict[str, Any]:
    """What changes while somebody looks at a host."""
    instance = host.instance
    windows = for_host(session, host)
    runs = _runs(session, instance) if instance else []
    update = statuses.update(
        instance.update_status if instance else "",
        instance.update_status_indicator if instance else None,
    )
    failed = instance is not None and update.kind == "error"
    return {
        "host": host,
        "instance": instance,
        "status": statuses.host(
            host.state, host.last_seen_s, clock.now_s, instance.update_status if instance else ""
        ),
        "in_maintenance": in_maintenance(windows, clock.now_s),
        "last_seen_s": max(host.last_seen_s or 0, instance.update_status_s if instance else 0),
        "update": update,
        "causes": history.causes(instance.update_status_detail) if instance and failed else (),
        "outlook": _outlook(session, instance, windows, clock.now_s) if instance else None,
        "fixes": _fixes(session, instance) if instance else (),
        "slots": slots(instance.slots) if instance else (),
        "quarantined": quarantine.of(session, instance) if instance else (),
        "runs": [history.shown(run, clock.now_s) for run in runs],
        "run_count": _run_count(session, instance) if instance else 0,
        "spoken": spoken(update.text, instance.update_progress_percent if instance else None),
    }


def host_page(session: Session, host: Host, clock: Clock) -> dict[str, Any]:
    """Everything that the page of a host shows."""
    windows = for_host(session, host)
    instance = host.instance
    policies = usable(session, host.project_uuid) if instance else []
    sites = session.execute(
        select(Site.id, Site.name)
        .where(Site.project_uuid == host.project_uuid)
        .order_by(Site.name)
        .limit(MAX_SITES)
    ).all()
    return {
        **live_host(session, host, clock),
        "schedules": by_next_window((*windows.single, *windows.repeated), clock),
        "policies": [
            policy
            for policy in policies
            if instance and not why_unfit(policy, instance.profile_name)
        ],
        "sites": sites,
        "token_ends": token_ends(host.token_expires_s, clock.now_s),
    }


def token_ends(expires_s: int | None, now_s: int) -> str:
    """Whether a node's token has `expired`, or `soon` will; empty when neither."""
    if expires_s is None or expires_s - now_s > EXPIRY_WARNING_S:
        return ""
    return "soon" if expires_s > now_s else "expired"


def slots(rows: list[dict[str, Any]]) -> tuple[Slot, ...]:
    """The slots that a node has told; what it left out is empty."""
    return tuple(
        Slot(
            name=str(row.get("name", "")),
            image_id=str(row.get("imageId") or row.get("image_id") or ""),
            state=str(row.get("state", "")),
            assessment=str(row.get("assessment", "")),
        )
        for row in rows
    )


def spoken(status: str, progress: int | None) -> str:
    """What a screen reader is told while an update goes on: each tenth, no more."""
    return status if progress is None else f"{status}, {progress // 10 * 10} %"


def _outlook(session: Session, instance: Instance, windows: Windows, now_s: int) -> Outlook:
    image = wanted(instance)
    held = hold(session, instance, image) if image else None
    return outlook(instance, windows, now_s, held)


def _runs(session: Session, instance: Instance) -> list[UpdateRun]:
    mine = select(UpdateRun).where(UpdateRun.instance_id == instance.id)
    newest_first = mine.order_by(UpdateRun.start_s.desc(), UpdateRun.number.desc())
    return list(session.scalars(newest_first.limit(MAX_RUNS)).unique())


def _run_count(session: Session, instance: Instance) -> int:
    mine = select(func.count(UpdateRun.id)).where(UpdateRun.instance_id == instance.id)
    return session.scalar(mine) or 0


def _fixes(session: Session, instance: Instance) -> tuple[cves.CVE, ...]:
    newest = instance.available_os
    if newest is None:
        return ()
    of_profile = select(OSResource).where(
        OSResource.project_uuid == instance.project_uuid,
        OSResource.profile_name == newest.profile_name,
    )
    return cves.fixed_between(session.scalars(of_profile), instance.image_id, newest)
