# SPDX-License-Identifier: Apache-2.0
"""Pictures of the figures: bars, as SVG under docs/bench-images/.

The same figures give the same bytes. They are drawn from the JSON file, so a run of some parts
redraws them with what is known of the others.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.demo.layout import REPOSITORY

FOLDER: Final = REPOSITORY / "docs/bench-images"
_DRAWING: Final = Path(__file__).with_name("drawing.py")
_WIRE: Final = ": MiB over the wire"
_SECONDS: Final = ": s"


def draw_delta(file: Path) -> Path:
    """Bytes over the wire, pair by pair."""
    known = json.loads(file.read_text(encoding="utf-8"))
    panels = {
        f"{pair}: MiB over the wire": _values(variants["all"]["figures"], _WIRE, "value")
        for pair, variants in known.items()
    }
    return _draw(FOLDER / "delta.svg", panels)


def draw_install(file: Path) -> Path:
    """Seconds of an install by each contender."""
    known = json.loads(file.read_text(encoding="utf-8"))
    speed = _values(known["speed"]["all"]["figures"], _SECONDS, "median")
    title = "1 GiB onto a loop device with direct I/O: seconds (median)"
    return _draw(FOLDER / "install.svg", {title: speed})


def _values(figures: Sequence[Mapping[str, Any]], ending: str, key: str) -> dict[str, float]:
    return {
        figure["name"].removesuffix(ending): figure[key]
        for figure in figures
        if figure["name"].endswith(ending) and figure.get(key) is not None
    }


def _draw(path: Path, panels: Mapping[str, Mapping[str, float]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    argv = ["/usr/bin/python3", "-I", str(_DRAWING), str(path)]
    subprocess.run(argv, input=json.dumps(panels), text=True, check=True)
    return path.relative_to(REPOSITORY)
