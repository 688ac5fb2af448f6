# SPDX-License-Identifier: Apache-2.0
"""The progress bar: one line that says how far something is and how long it may still take."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from puad.render.one_line import percent
from puad.render.quantity import bytes_text, duration_text
from puad.render.view import ProgressView

_LEAST_BAR: Final = 8
_FULL: Final = "█"
_PARTS: Final = " ▏▎▍▌▋▊▉"


def progress_bar(progress: ProgressView, elapsed_s: float, width: int = 80) -> str:
    """The bar for one phase.

    Args:
        progress: How far the phase is.
        elapsed_s: How long the phase has been running.
        width: Columns that it may take.
    """
    done = percent(progress)
    if not progress.phase or done is None:
        return ""
    head = f"{progress.phase:5} {done:3} % "
    tail = f" {bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"
    tail += _left(progress, elapsed_s)
    room = width - len(head) - len(tail)
    bar = _bar(progress.done_bytes / progress.total_bytes, room) if room >= _LEAST_BAR else ""
    return (head + bar + tail)[:width]


def _bar(fraction: float, room: int) -> str:
    eighths = int(min(1.0, fraction) * room * 8)
    part = _PARTS[eighths % 8] if eighths % 8 else ""
    return (_FULL * (eighths // 8) + part).ljust(room)


def _left(progress: ProgressView, elapsed_s: float) -> str:
    if elapsed_s < 1 or not 0 < progress.done_bytes < progress.total_bytes:
        return ""
    left_s = elapsed_s * (progress.total_bytes - progress.done_bytes) / progress.done_bytes
    return f", {duration_text(timedelta(seconds=min(left_s, 10**9)))} left"
