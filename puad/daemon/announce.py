# SPDX-License-Identifier: Apache-2.0
"""What the journal is told when a run changes: one sentence that a person can act on."""

from __future__ import annotations

from typing import Final

from puad.core.actions import Notice
from puad.core.machine import begins
from puad.core.run import Goal, Run, State
from puad.journal import MessageId, lifecycle

_NOTICES: Final = {
    Notice.STATE_REBUILT: MessageId.STATE_REBUILT,
    Notice.WINDOW_TOO_SHORT: MessageId.WINDOW_TOO_SHORT,
    Notice.QUARANTINE_CLEARED: MessageId.QUARANTINE_CLEARED,
    Notice.CANCELLED: MessageId.CANCELLED,
    Notice.REBOOT_HELD: MessageId.REBOOT_HELD,
    Notice.HOLD_OVERRIDDEN: MessageId.HOLD_OVERRIDDEN,
}


def announce_change(before: Run, after: Run) -> None:
    """Tell of a change of state, when there is one."""
    goal = after.goal
    if goal is None or not (after.state is not before.state or begins(before, after)):
        return
    if after.state is State.DOWNLOADING and begins(before, after):
        _tell(MessageId.RUN_STARTED, after, goal, _started(after, goal))
    _tell(MessageId[after.state.name], after, goal, _sentence(after, goal))
    if len(after.quarantine) > len(before.quarantine):
        text = f"Image {goal.offer.image_id} is not tried again until `puadctl retry`"
        _tell(MessageId.QUARANTINED, after, goal, text)


def announce_notice(run: Run, notice: Notice, text: str) -> None:
    """Tell of something beside the changes of state."""
    goal = run.goal
    lifecycle(
        _NOTICES[notice],
        text,
        run_id=goal.run_id if goal else "",
        state=run.state.value,
        slot=goal.slot if goal else "",
        image_id=goal.offer.image_id if goal else "",
    )


def _tell(message_id: MessageId, run: Run, goal: Goal, text: str) -> None:
    lifecycle(
        message_id,
        text,
        run_id=goal.run_id,
        state=run.state.value,
        slot=goal.slot,
        image_id=goal.offer.image_id,
        code=run.cause.code.value if run.cause else "",
    )


def _started(run: Run, goal: Goal) -> str:
    who = "an operator" if goal.by_operator else "the maintenance manager"
    now = run.facts.image_id if run.facts else "?"
    return f"Update run {goal.run_id}: {who} wants image {goal.offer.image_id}; {now} is booted"


def _sentence(run: Run, goal: Goal) -> str:
    image, slot = goal.offer.image_id, goal.slot
    if run.cause is not None:
        ended = "was rolled back" if run.state is State.ROLLED_BACK else "failed"
        last_lines = f"\n{run.cause.log}" if run.cause.log else ""
        return (
            f"The update to image {image} {ended}: {run.cause.text}. {run.cause.hint}{last_lines}"
        )
    tries = run.rules.tries
    sentences = {
        State.DOWNLOADING: f"Downloading image {image} to slot {slot}",
        State.STAGED: f"Image {image} is sealed on slot {slot} and waits for its window",
        State.ARMED: f"Booting slot {slot} next, with {tries} {'try' if tries == 1 else 'tries'}",
        State.ASSESSING: f"Slot {slot} with image {image} is booted; waiting for the verdict",
        State.DONE: f"Image {image} on slot {slot} is good; the update is done",
    }
    if goal.undo:
        return f"Going back from image {image} to slot {slot}"
    return sentences.get(run.state, f"The update run is {run.state}")
