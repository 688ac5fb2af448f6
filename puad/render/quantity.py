# SPDX-License-Identifier: Apache-2.0
"""Quantities as people read them: bytes, rates and durations."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

_STEP: Final = 1024
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")


def bytes_text(size: int) -> str:
    """A size with at most one decimal, e.g. `138.4 MiB`."""
    if size < _STEP:
        return f"{size} B"
    power = min(len(_UNITS), (size.bit_length() - 1) // 10)
    return f"{size / _STEP**power:.1f} {_UNITS[power - 1]}"


def part_text(part: int, whole: int) -> str:
    """A part of a size, e.g. `58.0 of 138.4 MiB`."""
    number, _, unit = bytes_text(part).partition(" ")
    of = bytes_text(whole)
    return f"{number} of {of}" if of.endswith(f" {unit}") else f"{number} {unit} of {of}"


def rate_text(bytes_s: int) -> str:
    """A rate, e.g. `5.9 MiB/s`."""
    return f"{bytes_text(bytes_s)}/s"


def left_text(seconds: int) -> str:
    """How long something still takes, e.g. `1 min 05 s left`."""
    return f"{duration_text(timedelta(seconds=seconds))} left"


def duration_text(duration: timedelta) -> str:
    """A duration by its two largest units, e.g. `1 h 05 min`."""
    seconds = max(0, int(duration.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24:02} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    if minutes:
        return f"{minutes} min {seconds % 60:02} s"
    return f"{seconds} s"
