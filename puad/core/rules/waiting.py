# SPDX-License-Identifier: Apache-2.0
"""Waiting: no run is on its way. Is there one to begin, and is it time?"""

from __future__ import annotations

from dataclasses import replace

from puad.core.actions import Actions, Announce, Disarm, Install, Notice
from puad.core.decision import Decision, decide
from puad.core.download_time import download_time
from puad.core.events import (
    Answered,
    Armed,
    Consulted,
    Failed,
    Looked,
    Moment,
    NotAnswered,
    Sealed,
    Ticked,
)
from puad.core.model import Facts, Offer
from puad.core.run import DownloadTime, Goal, Run, State
from puad.core.table import on, stay
from puad.core.windows import next_window
from puad.core.wire import StatusType

WAITING = (State.IDLE, State.DONE, State.ROLLED_BACK, State.FAILED)
_ENDED = (State.DONE, State.ROLLED_BACK, State.FAILED)


def judge(run: Run, offer: Offer | None) -> Decision:
    """Whether the offered image is one for this node."""
    if run.facts is None:
        return Decision.NONE
    known = (
        run.installed if run.installed and run.installed.image_id == run.facts.image_id else None
    )
    quarantined = offer is not None and run.quarantined(offer) is not None
    return decide(
        offer,
        profile=run.facts.profile,
        booted_image_id=run.facts.image_id,
        booted_file_hash=(known.file_hash or None) if known else None,
        quarantine={offer.file_hash} if offer is not None and quarantined else set(),
        floor=run.floor,
    )


def begin(
    run: Run, offer: Offer, moment: Moment, *, by_operator: bool = False, from_folder: bool = False
) -> tuple[Run, Actions]:
    """A new run begins with its download."""
    if run.facts is None or run.facts.inactive is None:
        return run, ()
    goal = Goal(
        run_id=f"{moment.now:%Y%m%dT%H%M%SZ}-{offer.file_hash[:8]}",
        offer=offer,
        slot=run.facts.inactive.name,
        started_at=moment.now,
        by_operator=by_operator,
        from_folder=from_folder,
        attempts=1,
        verdict_before=run.facts.verdict.boot_id if run.facts.verdict else "",
    )
    after = replace(
        run,
        state=State.DOWNLOADING,
        goal=goal,
        cause=None,
        download_at=None,
        retry_at=None,
        held="",
        facts=run.facts.overwritten(goal.slot),
    )
    return after, (Install(goal),)


def consider(run: Run, moment: Moment) -> tuple[Run, Actions]:
    """Begin a run when an image is wanted, its download time has come, and nothing forbids it.

    The last run's final status must have reached the server first, and the booted slot must be
    good, because the inactive one is its only fallback (invariant 11). Without a trusted clock
    no window opens (invariant 8).
    """
    offer = run.plan.offer
    if offer is None or judge(run, offer) is not Decision.INSTALL or offer.file_hash == run.held:
        return replace(run, download_at=None), ()
    if not (run.told and run.booted_is_good and moment.clock_trusted):
        return run, ()
    if _must_pause(run, offer, moment):
        return run, ()
    window = next_window(run.plan.schedules, moment.now)
    if window is None:
        return replace(run, download_at=None), ()
    planned = run.download_at
    if planned is None or (planned.file_hash, planned.window_start) != (
        offer.file_hash,
        window.start,
    ):
        at = download_time(
            window,
            moment.now,
            spread=moment.spread,
            download_window=run.rules.download_window,
            immediate=run.rules.immediate,
        )
        planned = DownloadTime(offer.file_hash, window.start, at)
    run = replace(run, download_at=planned)
    if moment.now < planned.at:
        return run, ()
    return begin(run, offer, moment)


def _must_pause(run: Run, offer: Offer, moment: Moment) -> bool:
    """The pause after a run that failed on the way is for its own image alone."""
    same = run.goal is not None and run.goal.offer.file_hash == offer.file_hash
    return same and run.retry_at is not None and moment.now < run.retry_at


def hear(run: Run, event: Answered) -> tuple[Run, Actions]:
    """Take the server's answer into the run: the plan, and what the operator released there."""
    cleared, offer = event.clear_quarantine, event.plan.offer
    # an entry whose hash was lost is known to the server by the hash of the offer that it covers
    wanted = offer if offer is not None and offer.file_hash in cleared else None
    released = tuple(
        entry
        for entry in run.quarantine
        if entry.file_hash not in cleared
        and (entry.file_hash or wanted is None or not entry.covers(wanted))
    )
    held = "" if run.held in event.clear_quarantine else run.held
    heard = replace(run, plan=event.plan, quarantine=released, held=held)
    if not _was_released(run, heard):
        return heard, ()
    text = "The operator cleared the quarantine at the server"
    return heard, (Announce(Notice.QUARANTINE_CLEARED, text),)


def _was_released(before: Run, heard: Run) -> bool:
    return len(heard.quarantine) < len(before.quarantine) or heard.held != before.held


@on(State.IDLE, Answered, to={State.DOWNLOADING})
def answered_in_idle(run: Run, event: Answered) -> tuple[Run, Actions]:
    """The server's answer may bring an image, or take one away."""
    heard, notices = hear(run, event)
    after, actions = consider(heard, event.moment)
    return after, (*notices, *actions)


@on(_ENDED, Answered, to={State.IDLE, State.DOWNLOADING})
def answered_after_a_run(run: Run, event: Answered) -> tuple[Run, Actions]:
    """The final status is told again and again until the server has taken it."""
    heard, notices = hear(run, event)
    final = StatusType.UPDATED if run.state is State.DONE else StatusType.FAILED
    if event.taken is final and run.goal is not None and event.taken_run == run.goal.run_id:
        heard = replace(heard, told=True)
    if heard.told and (run.state is State.DONE or _was_released(run, heard)):
        heard = replace(heard, state=State.IDLE, goal=None, cause=None)
    after, actions = consider(heard, event.moment)
    return after, (*notices, *actions)


@on(WAITING, Ticked, to={State.DOWNLOADING})
def ticked(run: Run, event: Ticked) -> tuple[Run, Actions]:
    """The download time may have come."""
    return consider(run, event.moment)


@on(WAITING, Looked)
def looked(run: Run, event: Looked) -> tuple[Run, Actions]:
    """The facts are kept for the next decision; what failed must not stay armed."""
    return replace(run, facts=event.facts), left_armed(run, event.facts)


def left_armed(run: Run, facts: Facts) -> Actions:
    """Disarm again what is still the boot target of a run that has failed.

    The first `Disarm` may have been lost: the power was cut, or boot control did not answer.
    """
    goal = run.goal
    if run.state is not State.FAILED or goal is None or goal.undo or not goal.armed_in:
        return ()
    if facts.booted_slot == goal.slot or facts.primary_slot != goal.slot:
        return ()
    return (Disarm(goal.run_id, goal.slot),)


@on(WAITING, Sealed)
def sealed_too_late(run: Run, event: Sealed) -> tuple[Run, Actions]:
    """An install that was cancelled came to its end all the same: nobody wants that slot sealed."""
    inactive = run.facts.inactive if run.facts else None
    return run, (Disarm(event.run_id, inactive.name),) if inactive else ()


on(WAITING, NotAnswered)(stay)
on(WAITING, Consulted)(stay)
on(WAITING, Armed)(stay)
on(WAITING, Failed)(stay)
