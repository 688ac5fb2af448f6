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
from puad.core.model import Offer, Plan
from puad.core.run import Cause, DownloadTime, Goal, Quarantined, Run, State
from puad.core.wire import Answer, OSType, decode_response, encode_response

SCHEMA: Final = 1
_IMAGE_KEYS: Final = ("url", "image_id", "file_hash", "profile_name", "profile_version")


def dump_run(run: Run) -> dict[str, Any]:
    """The run as a JSON object."""
    goal = run.goal
    return {
        "schema": SCHEMA,
        "state": run.state.value,
        "run_id": goal.run_id if goal else None,
        "image": _dump_offer(goal.offer) if goal else None,
        "slot": goal.slot if goal else None,
        "goal": _dump_goal(goal) if goal else None,
        "quarantine": [
            {"file_hash": q.file_hash, "image_id": q.image_id, "cause": _dump_cause(q.cause)}
            for q in run.quarantine
        ],
        "floor": run.floor,
        "cause": _dump_cause(run.cause),
        "plan": _dump_plan(run.plan),
        "held": run.held,
        "installed": _dump_offer(run.installed) if run.installed else None,
        "download_at": _dump_download(run.download_at),
        "retry_at": _dump_time(run.retry_at),
        "told": run.told,
        "short_window": _dump_time(run.short_window),
    }


def load_run(document: Mapping[str, Any]) -> Run:
    """The run that a stored document describes; see the rules above."""
    goal = _load_goal(document)
    return Run(
        state=_load_state(document, goal),
        goal=goal,
        plan=_load_plan(_mapping(document.get("plan"))),
        cause=_load_cause(document.get("cause")),
        quarantine=_load_quarantine(document.get("quarantine")),
        floor=_text(document.get("floor")) or None,
        held=_text(document.get("held")),
        installed=_load_offer(document.get("installed")),
        download_at=_load_download(_mapping(document.get("download_at"))),
        retry_at=_load_time(document.get("retry_at")),
        told=document.get("told") is not False,
        short_window=_load_time(document.get("short_window")),
    )


def _load_state(document: Mapping[str, Any], goal: Goal | None) -> State:
    if goal is None:
        return State.IDLE
    try:
        state = State(_text(document.get("state")))
    except ValueError:
        return State.ARMED
    return State.ARMED if state is State.IDLE else state


def _dump_goal(goal: Goal) -> dict[str, Any]:
    return {
        "started_at": _dump_time(goal.started_at),
        "by_operator": goal.by_operator,
        "from_folder": goal.from_folder,
        "undo": goal.undo,
        "min_version": goal.min_version,
        "attempts": goal.attempts,
        "retry_at": _dump_time(goal.retry_at),
        "asked_at": _dump_time(goal.asked_at),
        "armed_in": goal.armed_in,
        "reboot_at": _dump_time(goal.reboot_at),
        "verdict_before": goal.verdict_before,
    }


def _load_goal(document: Mapping[str, Any]) -> Goal | None:
    offer, run_id = _load_offer(document.get("image")), _text(document.get("run_id"))
    slot = _text(document.get("slot"))
    if offer is None or not run_id or not slot:
        return None
    rest = _mapping(document.get("goal"))
    attempts = rest.get("attempts")
    return Goal(
        run_id=run_id,
        offer=offer,
        slot=slot,
        started_at=_load_time(rest.get("started_at")) or datetime.fromtimestamp(0, UTC),
        by_operator=rest.get("by_operator") is True,
        from_folder=rest.get("from_folder") is True,
        undo=rest.get("undo") is True,
        min_version=_text(rest.get("min_version")) or None,
        attempts=attempts if isinstance(attempts, int) else 0,
        retry_at=_load_time(rest.get("retry_at")),
        asked_at=_load_time(rest.get("asked_at")),
        armed_in=_text(rest.get("armed_in")),
        reboot_at=_load_time(rest.get("reboot_at")),
        verdict_before=_text(rest.get("verdict_before")),
    )


def _dump_plan(plan: Plan) -> dict[str, Any]:
    answer = Answer(plan.offer, plan.schedules, OSType.IMMUTABLE)
    return {"answer": encode_response(answer), "answered_at": _dump_time(plan.answered_at)}


def _load_plan(document: Mapping[str, Any]) -> Plan:
    try:
        answer = decode_response(_mapping(document.get("answer")))
    except WireError:
        return Plan()
    return Plan(answer.offer, answer.schedules, _load_time(document.get("answered_at")))


def _load_quarantine(rows: object) -> tuple[Quarantined, ...]:
    entries = []
    for row in map(_mapping, rows if isinstance(rows, list) else []):
        file_hash, image_id = _text(row.get("file_hash")), _text(row.get("image_id"))
        if file_hash or image_id:
            entries.append(Quarantined(file_hash, image_id, _load_cause(row.get("cause")) or _LOST))
    return tuple(entries)


def _dump_offer(offer: Offer) -> dict[str, str]:
    return {key: getattr(offer, key) for key in _IMAGE_KEYS}


def _load_offer(value: object) -> Offer | None:
    document = _mapping(value)
    if not document:
        return None
    return Offer(**{key: _text(document.get(key)) for key in _IMAGE_KEYS})


def _dump_cause(cause: Cause | None) -> dict[str, str | None] | None:
    if cause is None:
        return None
    return {"code": cause.code.value, "text": cause.text, "at": _dump_time(cause.at)}


def _load_cause(value: object) -> Cause | None:
    document = _mapping(value)
    if not document:
        return None
    try:
        code = Code(_text(document.get("code")))
    except ValueError:
        code = Code.INTERNAL
    at = _load_time(document.get("at")) or datetime.fromtimestamp(0, UTC)
    return Cause(code, _text(document.get("text")), at)


def _dump_download(planned: DownloadTime | None) -> dict[str, str | None] | None:
    if planned is None:
        return None
    return {
        "file_hash": planned.file_hash,
        "window_start": _dump_time(planned.window_start),
        "at": _dump_time(planned.at),
    }


def _load_download(document: Mapping[str, Any]) -> DownloadTime | None:
    start, at = _load_time(document.get("window_start")), _load_time(document.get("at"))
    if start is None or at is None:
        return None
    return DownloadTime(_text(document.get("file_hash")), start, at)


def _dump_time(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat() if value else None


def _load_time(value: object) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_LOST: Final = Cause(Code.INTERNAL, "The cause was not stored", datetime.fromtimestamp(0, UTC))
