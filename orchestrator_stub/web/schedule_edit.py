# SPDX-License-Identifier: Apache-2.0
"""Making and editing a schedule: the form, the windows that it would make, and only then saving."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import HTTP_STATUS, Code, OrchestratorError
from orchestrator_stub.records import Host, Region, RepeatedSchedule, Site
from orchestrator_stub.schedules.local import occurrences
from orchestrator_stub.vocabulary import ScheduleStatus
from orchestrator_stub.web import clock, queries_schedules, schedule_form, upcoming
from orchestrator_stub.web.forms import Form
from orchestrator_stub.web.schedule_draft import Draft, settled
from orchestrator_stub.web.schedule_form import ScheduleType
from orchestrator_stub.web.upcoming import AnySchedule
from orchestrator_stub.web.visit import (
    CSRF_FIELD,
    PROJECT_FIELD,
    Changing,
    Visit,
    Visiting,
    Writing,
    sentence,
)

PATH: Final = "/schedules"
SHOWN_WINDOWS: Final = 5
_HOUR_S: Final = 3600

router = APIRouter(include_in_schema=False, prefix=PATH)


class Step(StrEnum):
    """Which button of the form was pressed."""

    SHOW = "show"
    CHANGE = "change"
    SAVE = "save"


class TargetKind(StrEnum):
    """What a schedule is for."""

    HOST = "host"
    SITE = "site"
    REGION = "region"


@router.get("/new")
def new_schedule(visit: Writing, host: str = "", site: str = "", region: str = "") -> Response:
    """Show the form of a new schedule: tomorrow at ten in the evening, for four hours."""
    day = visit.clock.local(visit.now_s + 24 * _HOUR_S)
    given: dict[str, str | list[str]] = {
        "status": ScheduleStatus.OS_UPDATE,
        "type": ScheduleType.ONCE,
        "zone": visit.clock.zone_name,
        "date": f"{day:%Y-%m-%d}",
        "at": "22:00",
        "end_date": f"{visit.clock.local(visit.now_s + 48 * _HOUR_S):%Y-%m-%d}",
        "end_at": "02:00",
        "hours": "4",
        "minutes": "0",
        **_asked_target(visit, host, site, region),
    }
    return _form(visit, schedule_form.texts(given), None)


@router.get("/{schedule_id}")
def edit_schedule(visit: Visiting, schedule_id: str) -> Response:
    """Show the form of a schedule."""
    with visit.reading() as session:
        row = queries_schedules.find(session, visit.project.uuid, schedule_id)
        given = {**schedule_form.fields_of(row, visit.clock), **_target_fields(row)}
    return _form(visit, schedule_form.texts(given), row)


@router.post("/new")
def make_schedule(visit: Changing) -> Response:
    """Show the windows of a new schedule, or save it."""
    return _handle(visit, None)


@router.post("/{schedule_id}")
def change_schedule(visit: Changing, schedule_id: str) -> Response:
    """Show the windows of a changed schedule, or save it."""
    with visit.reading() as session:
        row = queries_schedules.find(session, visit.project.uuid, schedule_id)
    return _handle(visit, row)


def _handle(visit: Visit, known: AnySchedule | None) -> Response:
    form = visit.form
    step = form.text("step")
    if step == Step.CHANGE:
        return _form(visit, form, known)
    try:
        draft = settled(schedule_form.read(form, visit.now_s), known, visit.now_s)
        if step == Step.SAVE:
            with visit.services.database.writing() as session:
                text = _save(visit, session, draft, known.id if known else "")
            return visit.to(PATH, text)
        with visit.reading() as session:
            target = _target(visit, session)
            return _preview(visit, draft, target.name, known)
    except OrchestratorError as error:
        return _form(visit, form, known, sentence(error), HTTP_STATUS[error.code])


def _save(visit: Visit, session: Session, draft: Draft, schedule_id: str) -> str:
    project_uuid = visit.project.uuid
    rows = draft.rows()
    if schedule_id:
        known = queries_schedules.find(session, project_uuid, schedule_id)
        if str(known.version) != visit.form.text("version"):
            raise OrchestratorError(
                Code.ABORTED,
                "Somebody else has changed this schedule meanwhile",
                hint="Open it again, and repeat what is still wanted.",
            )
        rows[0] = known
        draft.write(rows)
    target = _target(visit, session)
    for row in rows:
        row.project_uuid = project_uuid
        row.host = target if isinstance(target, Host) else None
        row.site = target if isinstance(target, Site) else None
        row.region = target if isinstance(target, Region) else None
    session.add_all(rows)
    session.flush()
    name = rows[0].name or rows[0].id
    if len(rows) == 1:
        return f"Schedule {name} is saved."
    return f"Schedule {name} is saved as {len(rows)}: its days lie across months in UTC."


def _target(visit: Visit, session: Session) -> Host | Site | Region:
    form = visit.form
    kind = form.word("target_kind", TargetKind, "Applies to")
    if kind is TargetKind.HOST:
        name = form.text("target_host", "Host", 100)
        return queries_schedules.host_by_name(session, visit.project.uuid, name)
    chosen = form.text(f"target_{kind}")
    if not chosen:
        raise OrchestratorError(Code.INVALID_ARGUMENT, f"Applies to: choose a {kind}")
    if kind is TargetKind.SITE:
        return visit.mine(session, Site, chosen)
    return visit.mine(session, Region, chosen)


def _asked_target(visit: Visit, host: str, site: str, region: str) -> dict[str, str]:
    if host:
        with visit.reading() as session:
            name = visit.mine(session, Host, host).name
        return {"target_kind": TargetKind.HOST, "target_host": name}
    if region:
        return {"target_kind": TargetKind.REGION, "target_region": region}
    with visit.reading() as session:
        any_site = select(Site.id).where(Site.project_uuid == visit.project.uuid).limit(1)
        kind = TargetKind.HOST if session.scalar(any_site) is None else TargetKind.SITE
    return {"target_kind": kind, "target_site": site}


def _target_fields(row: AnySchedule) -> dict[str, str]:
    if row.host is not None:
        return {"target_kind": TargetKind.HOST, "target_host": row.host.name}
    if row.site_id is not None:
        return {"target_kind": TargetKind.SITE, "target_site": row.site_id}
    return {"target_kind": TargetKind.REGION, "target_region": row.region_id or ""}


def _form(
    visit: Visit,
    form: Form,
    known: AnySchedule | None,
    error: str = "",
    status_code: int = 200,
) -> Response:
    with visit.reading() as session:
        values: dict[str, Any] = {
            **queries_schedules.targets(session, visit.project.uuid),
            **_common(form, known),
            "error": error,
            "comes_twice": schedule_form.comes_twice(form),
            "zones": clock.zone_names(),
            "weekdays": [(number, upcoming.WEEKDAYS[number]) for number in (1, 2, 3, 4, 5, 6, 0)],
            "months": list(enumerate(upcoming.MONTHS, start=1)),
        }
        return visit.page("schedule_form.html", values, status_code)


def _preview(visit: Visit, draft: Draft, target: str, known: AnySchedule | None) -> Response:
    """The next windows, in the zone of the form, and what to think of before saving."""
    coming = occurrences(draft.rows(), draft.zone, visit.now_s, SHOWN_WINDOWS, draft.asked)
    length_s = draft.length_s
    values: dict[str, Any] = {
        **_common(visit.form, known),
        "draft": draft,
        "target": target,
        "target_kind": visit.form.text("target_kind"),
        "purpose": upcoming.STATUS_TEXTS[draft.status],
        "there": clock.Clock(visit.now_s, draft.zone),
        "utc": clock.Clock(visit.now_s, clock.zone(clock.UTC_NAME)),
        "occurrences": coming,
        "moves": bool(draft.repeated) and clock.changes(draft.zone, visit.now_s),
        "is_short": length_s is not None and length_s < upcoming.ADVISED_S,
        "sent": [
            (name, value)
            for name in visit.form.names()
            if name not in {CSRF_FIELD, PROJECT_FIELD, "step"}
            for value in visit.form.many(name)
        ],
    }
    return visit.page("schedule_preview.html", values)


def _common(form: Form, known: AnySchedule | None) -> dict[str, Any]:
    return {
        "form": form,
        "values": form.values(),
        "known": known,
        "action": f"{PATH}/{known.id}" if known else f"{PATH}/new",
        "is_repeated": isinstance(known, RepeatedSchedule),
    }
