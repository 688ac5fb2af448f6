# SPDX-License-Identifier: Apache-2.0
"""The progress bar: one line that says how far something is and how long it may still take."""

from __future__ import annotations

from typing import Final

from puad.render.one_line import percent, printable
from puad.render.quantity import left_text, part_text, rate_text
from puad.render.view import ProgressView

_LEAST_BAR: Final = 8
_USUAL_TAIL: Final = 48  # the bar stays as long as it is while the figures beside it change
_FULL: Final = "█"
_PARTS: Final = " ▏▎▍▌▋▊▉"


def progress_bar(progress: ProgressView, width: int = 80) -> str:
    """The bar for one phase.

    Args:
        progress: How far the phase is.
        width: Columns that it may take.
    """
    done = percent(progress)
    if not progress.phase or done is None:
        return ""
    head = f"{progress.phase:5} {done:3} % "
    tail = f" {_tail(progress, width - len(head) - 1)}"
    if width - len(head) - _USUAL_TAIL >= _LEAST_BAR:
        tail = tail.rjust(_USUAL_TAIL)
    room = width - len(head) - len(tail)
    bar = _bar(progress.done_bytes / progress.total_bytes, room) if room >= _LEAST_BAR else ""
    return (head + bar + tail)[:width]


def _bar(fraction: float, room: int) -> str:
    eighths = int(min(1.0, fraction) * room * 8)
    part = _PARTS[eighths % 8] if eighths % 8 else ""
    return (_FULL * (eighths // 8) + part).ljust(room)


def _tail(progress: ProgressView, room: int) -> str:
    """The figures; where they do not fit, those that matter less are left out."""
    if progress.paused:
        return f"paused: {printable(progress.paused)}"
    left = [left_text(progress.left_s)] if progress.left_s else []
    rate = [] if progress.bytes_s is None else [rate_text(progress.bytes_s)]
    part = [part_text(progress.done_bytes, progress.total_bytes)]
    tails = [", ".join(figures) for figures in (part + rate + left, rate + left, left)]
    return next((tail for tail in tails if len(tail) <= room), "")
