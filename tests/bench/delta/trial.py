# SPDX-License-Identifier: Apache-2.0
"""A trial: every way on one pair; the publisher's part once, the node's in turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.delta.pairs import Images
from tests.bench.delta.ways.blocks import Blocks
from tests.bench.delta.ways.casync import Casync
from tests.bench.delta.ways.files import PatchFrom, Xdelta, Zstd
from tests.bench.delta.ways.puad import Delta, Full
from tests.bench.delta.ways.way import Published, Way
from tests.bench.figures import Figure, alternated, grid
from tests.bench.loop_device import is_image, spoil_file
from tests.bench.measured import Used

XDELTA_GOAL: Final = 0.80
FULL_GOAL: Final = 1.02
WAYS: Final[tuple[type[Way], ...]] = (Delta, Full, Zstd, Xdelta, PatchFrom, Casync, Blocks)
_MIB: Final = 1 << 20


@dataclass(slots=True)
class Outcome:
    """What came of one way."""

    published: Published
    installed: list[Used] = field(default_factory=list)

    @property
    def wire_mib(self) -> float:
        """MiB that a node fetches."""
        return self.published.wire_bytes / _MIB


def try_pair(
    images: Images, ways: Sequence[type[Way]], rounds: int, folder: Path
) -> dict[str, Outcome]:
    """Publish and install by every way, and hold each result against the new image."""
    contenders = [way(images, folder / str(number)) for number, way in enumerate(ways)]
    outcomes = {}
    for one in contenders:
        if isinstance(one, Full):
            one.share(next(other for other in contenders if type(other) is Delta))
        print(f"  publishing: {one.name}", flush=True)
        outcomes[one.name] = Outcome(one.publish())
    slot = folder / "slot"
    for number in range(rounds):
        print(f"  installing, round {number + 1}", flush=True)
        for one in contenders:
            if number and one.is_slow:
                continue
            spoil_file(slot, images.new.stat().st_size)
            used = one.install(slot)
            if used is not None:
                assert is_image(slot, images.new), f"{one.name} has made another image"
                outcomes[one.name].installed.append(used)
    return outcomes


def figures_of(pair: str, outcomes: dict[str, Outcome]) -> list[Figure]:
    """All of it, and what it should be."""
    figures = _goals(pair, outcomes)
    for name, outcome in outcomes.items():
        figures.append(Figure(f"{name}: MiB over the wire", outcome.wire_mib))
        if outcome.published.used is not None:
            used = outcome.published.used
            figures.append(Figure(f"{name}: publisher, s", used.seconds))
            figures.append(Figure(f"{name}: publisher, MiB of memory", used.peak_mib))
        if outcome.installed:
            rounds = outcome.installed
            figures.append(alternated(f"{name}: node, s", [one.seconds for one in rounds]))
            peak = max(one.peak_mib for one in rounds)
            figures.append(Figure(f"{name}: node, MiB of memory", peak))
    return figures


def _goals(pair: str, outcomes: dict[str, Outcome]) -> list[Figure]:
    goals = []
    delta = outcomes.get(Delta.name)
    for other, goal in ((Xdelta, XDELTA_GOAL), (Full, FULL_GOAL), (Zstd, FULL_GOAL)):
        if delta is not None and other.name in outcomes:
            ratio = delta.wire_mib / outcomes[other.name].wire_mib
            is_asked = other is not Xdelta or pair == "fixes"
            goals.append(Figure(f"puad / {other.name}, bytes", ratio, goal if is_asked else None))
    return goals


def table_of(images: Images, outcomes: dict[str, Outcome]) -> str:
    """The contenders side by side."""
    title = (
        f"{images.pair.name}: {images.old.stat().st_size / _MIB:.0f} MiB → "
        f"{images.new.stat().st_size / _MIB:.0f} MiB, "
        f"{images.differing} of {images.packages} packages differ"
    )
    columns = ("wire MiB", "publish s", "MiB RAM", "install s", "MiB RAM")
    rows = [(name, _cells(outcome)) for name, outcome in outcomes.items()]
    notes = [
        f"    {name}: {outcome.published.note}"
        for name, outcome in outcomes.items()
        if outcome.published.note
    ]
    return "\n".join([grid(title, columns, rows), *notes])


def _cells(outcome: Outcome) -> list[str]:
    used = outcome.published.used
    cells = [f"{outcome.wire_mib:.1f}"]
    cells += [f"{used.seconds:.1f}", f"{used.peak_mib:.0f}"] if used else ["", ""]
    if not outcome.installed:
        return [*cells, "", ""]
    seconds = statistics.median(one.seconds for one in outcome.installed)
    peak = max(one.peak_mib for one in outcome.installed)
    return [*cells, f"{seconds:.2f}", f"{peak:.0f}"]
