# SPDX-License-Identifier: Apache-2.0
"""The status in one line: what `systemctl status puad` shows (sd_notify STATUS)."""

from __future__ import annotations

from typing import Final

from puad.render.document import rfc3339
from puad.render.quantity import left_text
from puad.render.view import IDLE, ProgressView, RunView, StatusView

MOST_CHARACTERS: Final = 200

_DECISIONS: Final = {
    "install": "will be installed",
    "already-booted": "runs already",
    "quarantined": "is quarantined here",
    "wrong-profile": "is of another OS profile",
    "below-floor": "is below the version floor",
}


def one_line(view: StatusView) -> str:
    """One short printable line, e.g. `DOWNLOADING 13.2 to slot b: fetch 42 %`."""
    run = view.run
    text = _of_idle(view) if run is None or run.state == IDLE else _of_run(run, view)
    return printable(text)[:MOST_CHARACTERS]


def printable(text: str) -> str:
    """Foreign text without control characters, which could move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def percent(progress: ProgressView) -> int | None:
    """Whole percent done, at most 100; None while the total is not known."""
    if progress.total_bytes <= 0:
        return None
    return min(100, 100 * progress.done_bytes // progress.total_bytes)


def offer_text(view: StatusView) -> str:
    """What the orchestrator offers and what becomes of it, as a clause."""
    if view.offer is not None and view.decision in _DECISIONS:
        return f"{printable(view.offer.image_id)} {_DECISIONS[view.decision]}"
    if not view.server.url:
        return "no orchestrator is configured"
    if view.server.last_answer_at is None:
        return "the orchestrator has not answered yet"
    return "no policy is linked to this host"


def _of_idle(view: StatusView) -> str:
    if view.run is not None and view.run.cause is not None:
        return f"IDLE: {view.run.cause.text}"
    if view.decision == "install" and view.offer is not None and view.download_at is not None:
        return f"IDLE: {view.offer.image_id} is offered, download at {rfc3339(view.download_at)}"
    if view.decision == "already-booted":
        return f"IDLE: {view.node.image_id} runs, as is offered"
    return f"IDLE: {view.node.image_id} runs, {offer_text(view)}"


def _of_run(run: RunView, view: StatusView) -> str:
    if run.cause is not None:
        image = f" {run.image.image_id}" if run.image else ""
        again = f"; tried again at {rfc3339(run.retry_at)}" if run.retry_at else ""
        return f"{run.state}{image}: {run.cause.text}{again}"
    if run.image is None:
        return f"{run.state}: going back to slot {run.slot}"
    image = run.image.image_id
    tries = f"{run.tries} try" if run.tries == 1 else f"{run.tries} tries"
    texts = {
        "DOWNLOADING": f"{image} to slot {run.slot}{_progress(view.progress)}",
        "STAGED": f"{image} on slot {run.slot}: {_staged(run, view)}",
        "ARMED": f"{image} on slot {run.slot} with {tries}, the node reboots",
        "ASSESSING": f"{image} on slot {run.slot}: waiting for the verdict",
        "DONE": f"{image} on slot {run.slot}, marked good",
    }
    return f"{run.state} {texts.get(run.state, image)}"


def _staged(run: RunView, view: StatusView) -> str:
    if run.hold is not None and run.hold.lasts:
        return f"the reboot is held up by {printable(run.hold.by)}"
    if run.operator:
        return "an operator asked for it"
    if not view.clock_trusted:
        return "the clock is not trusted, so no window opens"
    if view.window is None:
        return "no maintenance window is scheduled"
    end = f" until {rfc3339(view.window.end)}" if view.window.end else ""
    if view.window.open:
        return f"the window is open{end}"
    return f"the window opens at {rfc3339(view.window.start)}"


def _progress(progress: ProgressView) -> str:
    done = percent(progress)
    if not progress.phase or done is None:
        return ""
    left = f", {left_text(progress.left_s)}" if progress.left_s else ""
    return f": {progress.phase} {done} %" + (
        f", paused: {progress.paused}" if progress.paused else left
    )
