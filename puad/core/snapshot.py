# SPDX-License-Identifier: Apache-2.0
"""The stored form of a run, and how an older or newer puad reads it.

Rules:

1. The keys `schema`, `run_id`, `image`, `slot`, `quarantine` and `floor` mean the same in every
   schema, for ever: after a fallback the old puad must read what the new one wrote.
2. Unknown keys are ignored here and kept by `puad.store`.
3. A state that this puad does not know is read as ARMED when there is an image: in ARMED the
   facts decide what became of it.
4. What cannot be read at all is left out; it never stops the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from puad.core.errors import Code, WireError
from puad.core.model import Plan
from puad.core.run import Cause, DownloadTime, Goal, Quarantined, Run, State
from puad.core.stored_values import (
    dump_cause,
    dump_hold,
    dump_offer,
    dump_time,
    load_cause,
    load_hold,
    load_offer,
    load_time,
    mapping_in,
    text_in,
)
from puad.core.wire import Answer, OSType, decode_response, encode_response

SCHEMA: Final = 1


def dump_run(run: Run) -> dict[str, Any]:
    """The run as a JSON object."""
    goal = run.goal
    return {
        "schema": SCHEMA,
        "state": run.state.value,
        "run_id": goal.run_id if goal else None,
        "image": dump_offer(goal.offer) if goal else None,
        "slot": goal.slot if goal else None,
        "goal": _dump_goal(goal) if goal else None,
        "quarantine": [
            {"file_hash": q.file_hash, "image_id": q.image_id, "cause": dump_cause(q.cause)}
            for q in run.quarantine
        ],
        "floor": run.floor,
        "cause": dump_cause(run.cause),
        "plan": _dump_plan(run.plan),
        "held": run.held,
        "installed": dump_offer(run.installed) if run.installed else None,
        "download_at": _dump_download(run.download_at),
        "retry_at": dump_time(run.retry_at),
        "told": run.told,
        "short_window": dump_time(run.short_window),
    }


def load_run(document: Mapping[str, Any]) -> Run:
    """The run that a stored document describes; see the rules above."""
    goal = _load_goal(document)
    return Run(
        state=_load_state(document, goal),
        goal=goal,
        plan=_load_plan(mapping_in(document.get("plan"))),
        cause=load_cause(document.get("cause")),
        quarantine=_load_quarantine(document.get("quarantine")),
        floor=text_in(document.get("floor")) or None,
        held=text_in(document.get("held")),
        installed=load_offer(document.get("installed")),
        download_at=_load_download(mapping_in(document.get("download_at"))),
        retry_at=load_time(document.get("retry_at")),
        told=document.get("told") is not False,
        short_window=load_time(document.get("short_window")),
    )


def _load_state(document: Mapping[str, Any], goal: Goal | None) -> State:
    if goal is None:
        return State.IDLE
    try:
        state = State(text_in(document.get("state")))
    except ValueError:
        return State.ARMED
    return State.ARMED if state is State.IDLE else state


def _dump_goal(goal: Goal) -> dict[str, Any]:
    return {
        "started_at": dump_time(goal.started_at),
        "by_operator": goal.by_operator,
        "from_folder": goal.from_folder,
        "undo": goal.undo,
        "min_version": goal.min_version,
        "attempts": goal.attempts,
        "retry_at": dump_time(goal.retry_at),
        "setback": dump_cause(goal.setback),
        "asked_at": dump_time(goal.asked_at),
        "consulting": goal.consulting,
        "consulted_at": dump_time(goal.consulted_at),
        "released_at": dump_time(goal.released_at),
        "hold": dump_hold(goal.hold),
        "armed_in": goal.armed_in,
        "reboot_at": dump_time(goal.reboot_at),
        "verdict_before": goal.verdict_before,
    }


def _load_goal(document: Mapping[str, Any]) -> Goal | None:
    offer, run_id = load_offer(document.get("image")), text_in(document.get("run_id"))
    slot = text_in(document.get("slot"))
    if offer is None or not run_id or not slot:
        return None
    rest = mapping_in(document.get("goal"))
    attempts = rest.get("attempts")
    return Goal(
        run_id=run_id,
        offer=offer,
        slot=slot,
        started_at=load_time(rest.get("started_at")) or datetime.fromtimestamp(0, UTC),
        by_operator=rest.get("by_operator") is True,
        from_folder=rest.get("from_folder") is True,
        undo=rest.get("undo") is True,
        min_version=text_in(rest.get("min_version")) or None,
        attempts=attempts if isinstance(attempts, int) else 0,
        retry_at=load_time(rest.get("retry_at")),
        setback=load_cause(rest.get("setback")),
        asked_at=load_time(rest.get("asked_at")),
        consulting=rest.get("consulting") is True,
        consulted_at=load_time(rest.get("consulted_at")),
        released_at=load_time(rest.get("released_at")),
        hold=load_hold(rest.get("hold")),
        armed_in=text_in(rest.get("armed_in")),
        reboot_at=load_time(rest.get("reboot_at")),
        verdict_before=text_in(rest.get("verdict_before")),
    )


def _dump_plan(plan: Plan) -> dict[str, Any]:
    answer = Answer(plan.offer, plan.schedules, OSType.IMMUTABLE)
    return {"answer": encode_response(answer), "answered_at": dump_time(plan.answered_at)}


def _load_plan(document: Mapping[str, Any]) -> Plan:
    try:
        answer = decode_response(mapping_in(document.get("answer")))
    except WireError:
        return Plan()
    return Plan(answer.offer, answer.schedules, load_time(document.get("answered_at")))


def _load_quarantine(rows: object) -> tuple[Quarantined, ...]:
    entries = []
    for row in map(mapping_in, rows if isinstance(rows, list) else []):
        file_hash, image_id = text_in(row.get("file_hash")), text_in(row.get("image_id"))
        if file_hash or image_id:
            entries.append(Quarantined(file_hash, image_id, load_cause(row.get("cause")) or _LOST))
    return tuple(entries)


def _dump_download(planned: DownloadTime | None) -> dict[str, str | None] | None:
    if planned is None:
        return None
    return {
        "file_hash": planned.file_hash,
        "window_start": dump_time(planned.window_start),
        "at": dump_time(planned.at),
    }


def _load_download(document: Mapping[str, Any]) -> DownloadTime | None:
    start, at = load_time(document.get("window_start")), load_time(document.get("at"))
    if start is None or at is None:
        return None
    return DownloadTime(text_in(document.get("file_hash")), start, at)


_LOST: Final = Cause(Code.INTERNAL, "The cause was not stored", datetime.fromtimestamp(0, UTC))
