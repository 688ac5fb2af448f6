# SPDX-License-Identifier: Apache-2.0
"""What the daemon shows of itself: a run and its surroundings as a `StatusView`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from puad.core.errors import PuadError, WireError
from puad.core.events import Moment
from puad.core.report import wire_status
from puad.core.rules.installing import asked_again_at
from puad.core.rules.waiting import judge
from puad.core.run import Hold, Run, State
from puad.core.token import expiry_warning
from puad.core.windows import next_window
from puad.core.wire import StatusType
from puad.effects.maintenance import Contact
from puad.effects.watch import Progress
from puad.render import (
    HoldView,
    ImageView,
    NodeView,
    ProgressView,
    QuarantineView,
    RunView,
    ServerView,
    StatusView,
    WindowView,
    cause_from_code,
    cause_of,
)


def status_view(  # noqa: PLR0913 - one argument for each part of the view
    run: Run,
    moment: Moment,
    *,
    guid: str,
    url: str,
    contact: Contact,
    progress: Progress,
    trouble: PuadError | None,
    token_expires_at: datetime | None = None,
) -> StatusView:
    """Everything that `puadctl status` shows, from the run and what surrounds it."""
    facts = run.facts
    return StatusView(
        node=NodeView(
            guid=guid,
            profile=facts.profile if facts else "",
            image_id=facts.image_id if facts else "",
            version_floor=run.floor,
        ),
        run=_run_view(run, moment, trouble),
        progress=ProgressView(**asdict(progress)),
        offer=run.plan.offer,
        decision=judge(run, run.plan.offer).value,
        window=_window_view(run, moment),
        download_at=run.download_at.at if run.download_at else None,
        quarantine=tuple(
            QuarantineView(q.file_hash, q.image_id, q.cause.code.value, q.cause.at)
            for q in run.quarantine
        ),
        slots=facts.slots if facts else (),
        primary_slot=facts.primary_slot if facts else "",
        clock_trusted=moment.clock_trusted,
        server=ServerView(
            url=url,
            reachable=contact.reachable,
            last_answer_at=contact.last_answer_at,
            error=cause_of(contact.error) if contact.error else None,
            token_expires_at=token_expires_at,
            # a clock that is wrong knows nothing of what is left
            token_warning=expiry_warning(token_expires_at, moment.now)
            if moment.clock_trusted
            else "",
        ),
        wire_status=(StatusType.FAILED if trouble else wire_status(run)).value,
    )


def _run_view(run: Run, moment: Moment, trouble: PuadError | None) -> RunView | None:
    goal = run.goal
    if goal is None:
        if trouble is None:
            return None
        return RunView(id="", state=run.state.value, cause=cause_of(trouble))
    cause = cause_of(trouble) if trouble else None
    known = run.cause or goal.setback
    if cause is None and known is not None:
        cause = cause_from_code(known.code, known.text, known.log)
    return RunView(
        id=goal.run_id,
        state=run.state.value,
        image=None
        if goal.undo
        else ImageView(goal.offer.image_id, goal.offer.file_hash, goal.offer.url),
        slot=goal.slot,
        tries=run.rules.tries,
        started_at=goal.started_at,
        cause=cause,
        attempts=goal.attempts,
        retry_at=goal.retry_at or run.retry_at,
        operator=goal.by_operator,
        hold=_hold_view(run, goal.hold, moment),
    )


def _hold_view(run: Run, hold: Hold | None, moment: Moment) -> HoldView | None:
    if hold is None:
        return None
    if hold.until is not None or run.state is not State.STAGED:
        return HoldView(hold.by, hold.since, hold.until)
    return HoldView(hold.by, hold.since, asked_again_at(run, moment), lasts=True)


def _window_view(run: Run, moment: Moment) -> WindowView | None:
    try:
        window = next_window(run.plan.schedules, moment.now)
    except WireError:
        return None
    if window is None:
        return None
    return WindowView(window.start <= moment.now, window.start, window.end)
