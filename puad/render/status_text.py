# SPDX-License-Identifier: Apache-2.0
"""The status as text: what `puadctl status` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from puad.render.document import rfc3339
from puad.render.history_text import state_text
from puad.render.one_line import decision_text, percent, printable, window_text
from puad.render.paint import Paint
from puad.render.quantity import bytes_text
from puad.render.slots_text import slot_lines
from puad.render.table import wrap
from puad.render.view import CauseView, ServerView, StatusView

_LABEL: Final = 14
_LEAST: Final = 20


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
        yield Fact("Clock", "not trusted", paint.bad)
    yield from _server_facts(view.server, paint)
    yield Fact("Reported", view.wire_status)


def _run_facts(view: StatusView, paint: Paint) -> Iterator[Fact]:
    run = view.run
    yield Fact("State", view.state, partial(state_text, paint=paint))
    if run is None:
        return
    if run.id:
        goal = f"{printable(run.image.image_id)} on slot" if run.image else "back to slot"
        by = ", asked for by an operator" if run.operator else ""
        yield Fact("Update run", f"{run.id}: {goal} {run.slot}{by}")
        if run.started_at:
            yield Fact("Update run", f"started at {rfc3339(run.started_at)}")
    done, progress = percent(view.progress), view.progress
    if progress.phase and done is not None:
        of = f"{bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"
        yield Fact("Progress", f"{progress.phase} {done} % ({of})")
    yield from _cause_facts("Cause", run.cause, paint)
    if run.retry_at:
        yield Fact("Next try", f"at {rfc3339(run.retry_at)}, after {run.attempts} so far")


def _cause_facts(label: str, cause: CauseView | None, paint: Paint) -> Iterator[Fact]:
    if cause is not None:
        yield Fact(label, printable(cause.text), paint.bad)
        yield Fact("Hint", printable(cause.hint))


def _plan_facts(view: StatusView) -> Iterator[Fact]:
    offered = f"{printable(view.offer.image_id)}: " if view.offer else ""
    yield Fact("Offer", offered + decision_text(view.decision))
    if view.download_at:
        yield Fact("Download", f"at {rfc3339(view.download_at)}")
    yield Fact("Window", window_text(view))


def _server_facts(server: ServerView, paint: Paint) -> Iterator[Fact]:
    yield Fact("Orchestrator", printable(server.url) or "none is configured")
    if server.last_answer_at:
        yield Fact("Orchestrator", f"answered last at {rfc3339(server.last_answer_at)}")
    yield from _cause_facts("Orchestrator", server.error, paint)
