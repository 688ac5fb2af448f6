# SPDX-License-Identifier: Apache-2.0
"""Figures: what a benchmark has measured, as a row of its table and an entry of its JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[2] / "build/bench"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, and what it should be.

    Attributes:
        name: What was measured, with its unit.
        value: The figure; of several, the one that the goal is for. Infinite: it never came.
        goal: The most that it may be; None when it is only told.
        spread: Minimum, median and maximum, where it was measured again and again.
        least: The least that it may be, where more is better.
    """

    name: str
    value: float
    goal: float | None = None
    spread: tuple[float, float, float] | None = None
    least: float | None = None

    @property
    def held(self) -> bool:
        """Whether it is as it should be."""
        is_small = self.goal is None or self.value <= self.goal
        return is_small and (self.least is None or self.value >= self.least)

    def dump(self) -> dict[str, Any]:
        """The entry of the JSON."""
        entry: dict[str, Any] = {"name": self.name, "value": _rounded(self.value)}
        if self.goal is not None:
            entry |= {"goal": self.goal, "held": self.held}
        if self.least is not None:
            entry |= {"least": self.least, "held": self.held}
        if self.spread is not None:
            names = ("min", "median", "max")
            entry |= {name: _rounded(one) for name, one in zip(names, self.spread, strict=True)}
        return entry


def repeated(name: str, values: Sequence[float], goal: float | None = None) -> Figure:
    """A figure that was measured again and again; its worst value is held to the goal."""
    spread = (min(values), statistics.median(values), max(values))
    return Figure(name, spread[2], goal, spread)


def alternated(name: str, values: Sequence[float], goal: float | None = None) -> Figure:
    """A figure of contenders that took turns; its median is held to the goal.

    A machine's speed swings, also between two turns of one round; so one round proves nothing.
    """
    spread = (min(values), statistics.median(values), max(values))
    return Figure(name, spread[1], goal, spread)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def table(title: str, figures: Sequence[Figure]) -> str:
    """Figures as a person reads them."""
    lines = [f"\n{title}", f"  {'':<52}{'min':>9}{'median':>9}{'max':>9}{'goal':>9}"]
    for figure in figures:
        shown = figure.spread or (None, figure.value, None)
        cells = "".join(_cell(one) for one in shown) + _goal(figure)
        lines.append(f"  {figure.name:<52}{cells}{'' if figure.held else '   NOT HELD'}")
    return "\n".join(lines)


def _rounded(value: float) -> float | None:
    """As JSON has it, which knows nothing that is infinite."""
    return round(value, 3) if math.isfinite(value) else None


def _cell(value: float | None) -> str:
    if value is None:
        return " " * 9
    if math.isinf(value):
        return f"{'never':>9}"
    return f"{value:>9.0f}" if value == round(value) or value >= 1000 else f"{value:>9.2f}"


def _goal(figure: Figure) -> str:
    if figure.goal is None and figure.least is not None:
        return f"{'≥' + _cell(figure.least).strip():>9}"
    return _cell(figure.goal)


def keep(
    file: Path, part: str, variant: str, figures: Sequence[Figure], conditions: dict[str, Any]
) -> None:
    """Put the figures of a part into a file, beside those of other parts and variants."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known.setdefault(part, {})[variant] = {
        "conditions": conditions,
        "figures": [figure.dump() for figure in figures],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def grid(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Contenders side by side, as a person reads them."""
    widths = [max(len(name), 10) for name in columns]
    first = max((len(name) for name, _ in rows), default=0)
    head = "  ".join(f"{name:>{width}}" for name, width in zip(columns, widths, strict=True))
    lines = [f"\n{title}", f"  {'':<{first}}  {head}"]
    for name, cells in rows:
        shown = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {name:<{first}}  {'  '.join(shown)}")
    return "\n".join(lines)
