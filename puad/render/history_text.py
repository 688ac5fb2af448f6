# SPDX-License-Identifier: Apache-2.0
"""Past update runs as text: what `puadctl history` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from puad.render.document import rfc3339
from puad.render.one_line import printable
from puad.render.paint import Paint
from puad.render.quantity import duration_text
from puad.render.table import table_rows, wrap
from puad.render.view import HistoryView, PastRunView

_HEADINGS: Final = ("STARTED", "TOOK", "STATE", "SLOT", "IMAGE")
_INDENT: Final = "  "


def history_text(view: HistoryView, *, width: int = 80, paint: Paint | None = None) -> str:
    """The runs that ended, newest first."""
    paint = paint or Paint()
    if not view.runs:
        return "No update run has ended on this node yet.\n"
    rows = [_row(run, paint) for run in view.runs]
    shown, *rows_lines = table_rows(_HEADINGS, rows, width=width, paint=paint)
    for run, lines in zip(view.runs, rows_lines, strict=True):
        shown += lines
        for text in _details(run):
            shown += [_INDENT + paint.faint(piece) for piece in wrap(text, width - len(_INDENT))]
    return "\n".join(shown) + "\n"


def _details(run: PastRunView) -> Iterator[str]:
    """Who held its reboot up, why it failed, and the last lines of what failed."""
    hold, cause = run.hold, run.cause
    if hold is not None:
        until = f" until {rfc3339(hold.until)}" if hold.until else ""
        since = rfc3339(hold.since)
        yield f"The reboot was held up from {since}{until} by {printable(hold.by)}"
    if cause is not None:
        yield printable(cause.text)
        for line in cause.log.splitlines():
            yield f"| {printable(line)}"


def _row(run: PastRunView, paint: Paint) -> tuple[str, ...]:
    took = run.finished_at - run.started_at if run.finished_at and run.started_at else None
    return (
        rfc3339(run.started_at) if run.started_at else "-",
        duration_text(took) if took is not None else "-",
        state_text(run.state, paint),
        run.slot or "-",
        _images(printable(run.from_image_id), printable(run.image.image_id) if run.image else ""),
    )


def _images(before: str, after: str) -> str:
    if before and after:
        return f"{before} -> {after}"
    return after or (f"back from {before}" if before else "-")


def state_text(state: str, paint: Paint) -> str:
    """A run's state, painted by what it means."""
    if state == "DONE":
        return paint.good(state)
    if state in {"FAILED", "ROLLED_BACK"}:
        return paint.bad(state)
    return state if state == "IDLE" else paint.waiting(state)
