# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.delta`: how few bytes bring a new image to a node that has an old one.

Real pairs, every contender on each (docs/bench-images.md). Figures are printed, kept in
build/bench/delta.json and drawn into docs/bench-images/.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.delta.pairs import PAIRS, make_pair
from tests.bench.delta.roots import CACHE
from tests.bench.delta.trial import WAYS, figures_of, table_of, try_pair
from tests.bench.delta.ways.files import Xdelta
from tests.bench.delta.ways.puad import Delta, Full
from tests.bench.figures import FOLDER, keep, table
from tests.bench.pictures import draw_delta

_FILE: Final = FOLDER / "delta.json"
# The variants of a pair answer one question, at a level that takes minutes for each contender.
_FEW: Final = (Delta, Full, Xdelta)
_VARIANTS: Final = frozenset({"fixes-no-boot", "fixes-unpacked"})


def main() -> int:
    """Measure what was asked for; 1 when a goal was not held."""
    arguments = _parser().parse_args()
    held = True
    for name in arguments.pair or PAIRS:
        images = make_pair(PAIRS[name])
        ways = _FEW if name in _VARIANTS and not arguments.all_ways else WAYS
        with tempfile.TemporaryDirectory(prefix="delta-", dir=CACHE) as folder:
            outcomes = try_pair(images, ways, arguments.rounds, Path(folder))
        figures = figures_of(name, outcomes)
        print(table_of(images, outcomes))
        print(table("goals", [figure for figure in figures if figure.goal]), flush=True)
        conditions = {
            "cpus": os.cpu_count(),
            "rounds": arguments.rounds,
            "packages": images.packages,
            "differing": images.differing,
        }
        keep(_FILE, name, "all", figures, conditions)
        held = held and all(figure.held for figure in figures)
    drawn = draw_delta(_FILE) if not arguments.no_picture else "no new picture"
    print(
        f"\nAll of it is in {_FILE} and {drawn}; {'every goal' if held else 'NOT every goal'} held."
    )
    return 0 if held else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-delta", description=__doc__)
    add = parser.add_argument
    add("--pair", action="append", choices=[*PAIRS], help="only this pair; may be given again")
    add("--rounds", type=int, default=3, help="installs by each; default: %(default)s")
    add("--all-ways", action="store_true", help="every contender on variants of a pair, too")
    add("--no-picture", action="store_true", help="leave the picture in docs/ as it is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
