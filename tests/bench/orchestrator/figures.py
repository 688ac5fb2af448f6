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

FILE: Final = Path(__file__).resolve().parents[3] / "build/bench/orchestrator.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, and what it should be.

    Attributes:
        name: What was measured, with its unit.
        value: The figure; of several, the one that the goal is for. Infinite: it never came.
        goal: The most that it may be; None when it is only told.
        spread: Minimum, median and maximum, where it was measured again and again.
    """

    name: str
    value: float
    goal: float | None = None
    spread: tuple[float, float, float] | None = None

    @property
    def held(self) -> bool:
        """Whether it is as it should be."""
        return self.goal is None or self.value <= self.goal

    def dump(self) -> dict[str, Any]:
        """The entry of the JSON."""
        entry: dict[str, Any] = {"name": self.name, "value": _rounded(self.value)}
        if self.goal is not None:
            entry |= {"goal": self.goal, "held": self.held}
        if self.spread is not None:
            names = ("min", "median", "max")
            entry |= {name: _rounded(one) for name, one in zip(names, self.spread, strict=True)}
        return entry


def repeated(name: str, values: Sequence[float], goal: float | None = None) -> Figure:
    """A figure that was measured again and again; its worst value is held to the goal."""
    spread = (min(values), statistics.median(values), max(values))
    return Figure(name, spread[2], goal, spread)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def table(title: str, figures: Sequence[Figure]) -> str:
    """Figures as a person reads them."""
    lines = [f"\n{title}", f"  {'':<52}{'min':>9}{'median':>9}{'max':>9}{'goal':>9}"]
    for figure in figures:
        shown = figure.spread or (None, figure.value, None)
        cells = "".join(_cell(one) for one in (*shown, figure.goal))
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


def keep(part: str, database: str, figures: Sequence[Figure], conditions: dict[str, Any]) -> None:
    """Put the figures of a part into the file, beside those of other parts."""
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    known.setdefault(part, {})[database] = {
        "conditions": conditions,
        "figures": [figure.dump() for figure in figures],
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
