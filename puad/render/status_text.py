# SPDX-License-Identifier: Apache-2.0
"""The status as text: what `puadctl status` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from puad.render.document import rfc3339
from puad.render.history_text import state_text
from puad.render.one_line import offer_text, percent, printable
from puad.render.paint import Paint
from puad.render.quantity import bytes_text, left_text, part_text, rate_text
from puad.render.slots_text import slot_lines
from puad.render.table import wrap
from puad.render.view import (
    CauseView,
    HoldView,
    ProgressView,
    RunView,
    ServerView,
    StatusView,
    WindowView,
)

_LABEL: Final = 14
_LEAST: Final = 20
_RENEWAL: Final = "Renew it with `puad-orchestrator enrol --renew` and replace server.token_file."
_STATES: Final = {
    "DOWNLOADING": "the image is fetched and written to its slot",
    "STAGED": "the image is sealed on its slot and boots in a maintenance window",
    "ARMED": "the boot target is set, then the node reboots",
    "ASSESSING": "the new slot is booted and its health is assessed",
    "DONE": "the new slot is booted and marked good",
    "ROLLED_BACK": "the node is on the slot that it came from",
    "FAILED": "the update was given up",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled line; facts of the same label stand below each other."""

    label: str
    text: str
    paint: Callable[[str], str] = str


def status_text(view: StatusView, *, width: int = 80, paint: Paint | None = None) -> str:
    """Who the node is, what it does, what is wanted of it, and its slots."""
    paint = paint or Paint()
    lines: list[str] = []
    last = ""
    for fact in _facts(view, paint):
        shown = "" if fact.label == last else fact.label
        head = paint.faint(shown) + " " * (_LABEL - len(shown))
        for piece in wrap(fact.text, max(_LEAST, width - _LABEL)):
            lines.append(head + fact.paint(piece))
            head = " " * _LABEL
        last = fact.label
    lines.append("")
    if view.slots:
        lines += slot_lines(view.slots, width=width, paint=paint)
        lines += ["", f"Boot target: slot {view.primary_slot}"]
    else:
        lines.append(paint.bad("Boot control does not answer, so the slots are not known."))
    return "\n".join(lines) + "\n"


def _facts(view: StatusView, paint: Paint) -> Iterator[Fact]:
    node = view.node
    yield Fact("Node", printable(node.guid) or "-")
    yield Fact("Runs", printable(f"{node.profile} {node.image_id}").strip() or "-", paint.strong)
    if node.version_floor:
        yield Fact("Version floor", printable(node.version_floor))
    yield from _run_facts(view, paint)
    yield from _plan_facts(view)
    for entry in view.quarantine:
        since = f" since {rfc3339(entry.at)}" if entry.at else ""
        image = printable(entry.image_id) or entry.file_hash
        yield Fact("Quarantine", f"{image} ({entry.cause}){since}")
    if not view.clock_trusted:
        yield Fact("Clock", "not trusted, so no window opens", paint.bad)
    yield from _server_facts(view.server, paint)
    yield Fact("Reported", view.wire_status)


def _run_facts(view: StatusView, paint: Paint) -> Iterator[Fact]:
    run = view.run
    yield Fact("State", view.state, partial(state_text, paint=paint))
    if run is None:
        return
    if meaning := _meaning(run):
        yield Fact("State", meaning)
    if run.id:
        goal = f"{printable(run.image.image_id)} on slot" if run.image else "back to slot"
        yield Fact("Update run", f"{run.id}: {goal} {run.slot}")
        if run.started_at:
            by = ", on an operator's word" if run.operator else ""
            yield Fact("Update run", f"started at {rfc3339(run.started_at)}{by}")
    yield from _progress_facts(view.progress, paint)
    yield from _hold_facts(run.hold, paint)
    yield from _cause_facts("Cause", run.cause, paint)
    if run.retry_at:
        after = f", after {run.attempts} downloads" if run.attempts > 1 else ""
        yield Fact("Next try", f"at {rfc3339(run.retry_at)}{after}")


def _meaning(run: RunView) -> str:
    """The run's state in words."""
    if run.state == "STAGED" and run.hold is not None and run.hold.lasts:
        return "the image is sealed on its slot, and somebody at the node defers the reboot"
    if run.state == "STAGED" and run.operator:
        return "the image is sealed on its slot and boots at once"
    if run.state == "DOWNLOADING" and run.retry_at:
        return "the download waits for its next try"
    return _STATES.get(run.state, "")


def _progress_facts(progress: ProgressView, paint: Paint) -> Iterator[Fact]:
    done = percent(progress)
    if not progress.phase or done is None:
        return
    of = part_text(progress.done_bytes, progress.total_bytes)
    fetched = f", {bytes_text(progress.fetched_bytes)} fetched" if progress.fetched_bytes else ""
    yield Fact("Progress", f"{progress.phase} {done} % ({of}{fetched})")
    if progress.paused:
        yield Fact("Progress", f"paused: {printable(progress.paused)}", paint.waiting)
    elif progress.bytes_s is not None:
        left = f", {left_text(progress.left_s)}" if progress.left_s else ""
        yield Fact("Progress", f"{rate_text(progress.bytes_s)}{left}")


def _hold_facts(hold: HoldView | None, paint: Paint) -> Iterator[Fact]:
    if hold is None:
        return
    yield Fact("Held up", f"by {printable(hold.by)}", paint.bad if hold.lasts else str)
    until = ""
    if hold.until is not None:
        until = f", {'asked again at' if hold.lasts else 'until'} {rfc3339(hold.until)}"
    yield Fact("Held up", f"since {rfc3339(hold.since)}{until}")


def _cause_facts(label: str, cause: CauseView | None, paint: Paint) -> Iterator[Fact]:
    if cause is not None:
        yield Fact(label, printable(cause.text), paint.bad)
        for line in cause.log.splitlines():
            yield Fact(label, f"| {printable(line)}")
        yield Fact("Hint", printable(cause.hint))


def _plan_facts(view: StatusView) -> Iterator[Fact]:
    yield Fact("Offer", offer_text(view))
    if view.download_at:
        yield Fact("Download", f"at {rfc3339(view.download_at)}")
    yield Fact("Window", _window_text(view.window))


def _window_text(window: WindowView | None) -> str:
    if window is None:
        return "none is scheduled"
    end = f"until {rfc3339(window.end)}" if window.end else "without an end"
    return f"open {end}" if window.open else f"opens at {rfc3339(window.start)}, {end}"


def _server_facts(server: ServerView, paint: Paint) -> Iterator[Fact]:
    yield Fact("Orchestrator", printable(server.url) or "none is configured")
    if server.last_answer_at:
        yield Fact("Orchestrator", f"answered last at {rfc3339(server.last_answer_at)}")
    elif server.url and server.error is None:
        yield Fact("Orchestrator", "has not answered yet")
    yield from _cause_facts("Orchestrator", server.error, paint)
    if server.token_warning:
        yield Fact("Token", printable(server.token_warning), paint.bad)
        yield Fact("Hint", _RENEWAL)
