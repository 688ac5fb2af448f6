# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.install`: what an install costs, against everything else that installs.

Each part stands by itself (docs/bench-images.md). Figures are printed, kept in
build/bench/install.json and drawn into docs/bench-images/.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Final

from tests.bench.figures import FOLDER, Figure, keep, table
from tests.bench.install import latency, memory, network, publish, resume, speed, whole
from tests.bench.install.options import Options
from tests.bench.pictures import draw_install

_FILE: Final = FOLDER / "install.json"
PARTS: Final[dict[str, Callable[[Options], list[Figure]]]] = {
    "speed": speed.measure,
    "whole": whole.measure,
    "network": network.measure,
    "memory": memory.measure,
    "resume": resume.measure,
    "latency": latency.measure,
    "publish": publish.measure,
}


def main() -> int:
    """Measure what was asked for; 1 when a goal was not held."""
    arguments = _parser().parse_args()
    options = Options(
        rounds=arguments.rounds,
        contenders=tuple(arguments.contender or ()),
        sizes_mib=tuple(arguments.size or (256, 2048, 8192)),
        rate_mbit_s=arguments.rate,
        seconds=arguments.seconds,
    )
    held = True
    for part in arguments.part or PARTS:
        figures = PARTS[part](options)
        print(table(part, figures), flush=True)
        keep(_FILE, part, "all", figures, options.dump() | {"cpus": os.cpu_count()})
        held = held and all(figure.held for figure in figures)
    is_drawn = "speed" in (arguments.part or PARTS) and not arguments.no_picture
    drawn = draw_install(_FILE) if is_drawn else "no new picture"
    print(
        f"\nAll of it is in {_FILE} and {drawn}; {'every goal' if held else 'NOT every goal'} held."
    )
    return 0 if held else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-install", description=__doc__)
    add = parser.add_argument
    add("--part", action="append", choices=[*PARTS], help="only this part; may be given again")
    add("--rounds", type=int, default=5, help="turns of each contender; default: %(default)s")
    add("--contender", action="append", help="only those whose name begins so; may be given again")
    add("--size", type=int, action="append", help="MiB of an image whose memory is measured")
    add("--rate", type=float, default=50.0, help="Mbit/s of the slow link; default: %(default)s")
    add("--seconds", type=int, default=15, help="fio at a time; default: %(default)s")
    add("--no-picture", action="store_true", help="leave the picture in docs/ as it is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
