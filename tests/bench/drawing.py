# SPDX-License-Identifier: Apache-2.0
"""`/usr/bin/python3 drawing.py FILE`: draws panels of bars, given as JSON, into an SVG file.

It is run by Debian's Python, outside the environment of puad: Debian's matplotlib needs Debian's
NumPy. So nothing of puad is imported here.
"""

from __future__ import annotations

import json
import sys
from typing import Final

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "puad"  # the same names inside the file each time
from matplotlib import pyplot as plt  # noqa: E402 -- after the back end was chosen

_OURS: Final = "#1f6f8b"
_OTHERS: Final = "#b8c4c8"


def draw(path: str, panels: dict[str, dict[str, float]]) -> None:
    """One panel under the other; bars of puad stand out."""
    heights = [len(values) for values in panels.values()]
    figure, places = plt.subplots(
        len(panels),
        1,
        figsize=(8, 0.32 * sum(heights) + 0.75 * len(panels)),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    for place, (title, values) in zip(places[:, 0], panels.items(), strict=True):
        colours = [_OURS if label.startswith("puad") else _OTHERS for label in values]
        bars = place.barh([*values], [*values.values()], color=colours)
        place.bar_label(bars, fmt="%.1f", padding=3)
        place.invert_yaxis()
        place.set_title(title, loc="left", fontsize="medium")
        place.margins(x=0.12)
        place.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    draw(sys.argv[1], json.load(sys.stdin))
