# SPDX-License-Identifier: Apache-2.0
"""Speed: an image onto a loop device with direct I/O, by every contender, in turns."""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench.delta.roots import CACHE
from tests.bench.figures import Figure, alternated, grid
from tests.bench.install.contenders.casync import Casync
from tests.bench.install.contenders.contender import Contender, Stage
from tests.bench.install.contenders.pipes import FLOOR, CurlZstdDd, Dd, ZstdDd
from tests.bench.install.contenders.puad import SEALED, WRITTEN, Puad
from tests.bench.install.contenders.rauc import Rauc
from tests.bench.install.contenders.swupdate import Swupdate
from tests.bench.install.image import NEW, make_image, published
from tests.bench.install.options import Options
from tests.bench.loop_device import is_image, loop_device, spoil
from tests.bench.measured import Used
from tests.bench.served_folder import served

CONTENDERS: Final[tuple[type[Contender], ...]] = (
    Puad,
    Dd,
    ZstdDd,
    CurlZstdDd,
    Rauc,
    Swupdate,
    Casync,
)
_GIB: Final = 1 << 30
_SPARE_BYTES: Final = 16 << 20
# what is compared, with what, and how many times as long it may take
_GOALS: Final = (
    (WRITTEN, FLOOR, 1.0),
    (SEALED, FLOOR, 1.7),
    (SEALED, Rauc.name, 1.0),
    (WRITTEN, Rauc.name, 1 / 2),
    (WRITTEN, Swupdate.name, 1 / 5),
    (WRITTEN, Casync.name, None),
    (WRITTEN, CurlZstdDd.name, None),
    (WRITTEN, Dd.name, None),
)


def measure(options: Options) -> list[Figure]:
    """Every contender, so many rounds."""
    image, release = make_image(), published()
    with tempfile.TemporaryDirectory(prefix="install-", dir=CACHE) as name:
        folder = Path(name)
        with (
            served(release.folder) as server,
            loop_device(folder / "slot", image.stat().st_size + _SPARE_BYTES) as device,
        ):
            stage = Stage(image, release, NEW, server.url, folder)
            contenders = [kind(stage) for kind in CONTENDERS if options.has(kind.name)]
            rounds = [
                _round([one for one in contenders if number < one.most_rounds], device, image)
                for number in range(options.rounds)
            ]
    print(_table(rounds, image.stat().st_size, contenders))
    return _figures(rounds, image.stat().st_size)


def _round(contenders: Sequence[Contender], device: Path, image: Path) -> dict[str, Used]:
    taken: dict[str, Used] = {}
    for one in contenders:
        spoil(device)
        taken |= one.install(device)
        assert is_image(device, image), f"{one.name} has written something else"
    return taken


def _figures(rounds: Sequence[dict[str, Used]], size: int) -> list[Figure]:
    figures = []
    for one, other, goal in _GOALS:
        both = [took for took in rounds if one in took and other in took]
        ratios = [took[one].seconds / took[other].seconds for took in both]
        if ratios:
            figures.append(alternated(f"{one} / {other}", ratios, goal))
    for name, used in _by_name(rounds).items():
        figures += [
            alternated(f"{name}: s", [one.seconds for one in used]),
            alternated(f"{name}: CPU s for a GiB", [one.cpu_s * _GIB / size for one in used]),
            Figure(f"{name}: MiB of memory", max(one.peak_mib for one in used)),
        ]
    return figures


def _by_name(rounds: Sequence[dict[str, Used]]) -> dict[str, list[Used]]:
    by_name: dict[str, list[Used]] = defaultdict(list)
    for took in rounds:
        for name, used in took.items():
            by_name[name].append(used)
    return by_name


def _table(rounds: Sequence[dict[str, Used]], size: int, contenders: Sequence[Contender]) -> str:
    columns = ("min s", "median s", "max s", "CPU s/GiB", "MiB RAM")
    rows = []
    for name, turns in _by_name(rounds).items():
        seconds = [one.seconds for one in turns]
        cpu_s = statistics.median(one.cpu_s for one in turns) * _GIB / size
        cells = [
            f"{value:.2f}" for value in (min(seconds), statistics.median(seconds), max(seconds))
        ]
        rows.append((name, [*cells, f"{cpu_s:.2f}", f"{max(one.peak_mib for one in turns):.0f}"]))
    title = f"an image of {size >> 20} MiB onto a loop device with direct I/O, {len(rounds)} rounds"
    promises = [f"    {one.name}: {one.promises}" for one in contenders]
    return "\n".join([grid(title, columns, rows), *promises])
