# SPDX-License-Identifier: Apache-2.0
"""Pictures of the figures: bars, as SVG under docs/bench-images/.

The same figures give the same bytes. They are drawn from the JSON file, so a run of some parts
redraws them with what is known of the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.demo.layout import REPOSITORY

FOLDER: Final = REPOSITORY / "docs/bench-images"
_OURS: Final = "#1f6f8b"
_OTHERS: Final = "#b8c4c8"
_WIRE: Final = ": MiB over the wire"
_SECONDS: Final = ": s"


def draw_delta(file: Path) -> Path:
    """Bytes over the wire, pair by pair."""
    known = json.loads(file.read_text(encoding="utf-8"))
    groups = {
        pair: _values(variants["all"]["figures"], _WIRE, "value")
        for pair, variants in known.items()
    }
    return _draw(FOLDER / "delta.svg", "MiB over the wire", groups)


def draw_install(file: Path) -> Path:
    """Seconds of an install, and the link that limits it."""
    known = json.loads(file.read_text(encoding="utf-8"))
    title = "seconds for an image of 1 GiB (median)"
    speed = _values(known["speed"]["all"]["figures"], _SECONDS, "median")
    return _draw(FOLDER / "install.svg", title, {"loop device, direct I/O": speed})


def _values(figures: Sequence[Mapping[str, Any]], ending: str, key: str) -> dict[str, float]:
    return {
        figure["name"].removesuffix(ending): figure[key]
        for figure in figures
        if figure["name"].endswith(ending) and figure.get(key) is not None
    }


def _draw(path: Path, title: str, groups: Mapping[str, Mapping[str, float]]) -> Path:
    import matplotlib as mpl  # noqa: PLC0415 -- only who draws needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "puad"
    from matplotlib import pyplot as plt  # noqa: PLC0415 -- the same

    heights = [len(values) for values in groups.values()]
    figure, panels = plt.subplots(
        len(groups),
        1,
        figsize=(8, 0.32 * sum(heights) + 0.75 * len(groups)),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    for panel, (name, values) in zip(panels[:, 0], groups.items(), strict=True):
        colours = [_OURS if label.startswith("puad") else _OTHERS for label in values]
        bars = panel.barh([*values], [*values.values()], color=colours)
        panel.bar_label(bars, fmt="%.1f", padding=3)
        panel.invert_yaxis()
        panel.set_title(f"{name}: {title}", loc="left", fontsize="medium")
        panel.margins(x=0.12)
        panel.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
    return path.relative_to(REPOSITORY)
