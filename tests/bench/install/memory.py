# SPDX-License-Identifier: Apache-2.0
"""Memory: puad's highest resident memory while it installs images of very different sizes.

The images begin with a file system that the rig can boot. The rest is sparse, as a device's image
is: every sixteenth MiB holds data. For a delta the node runs such an image already, and the new one
has the same data with some of it changed and moved, so that every frame needs its windows.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.delta.roots import CACHE
from tests.bench.figures import Figure
from tests.bench.install.options import Options
from tests.bench.published import FULL_ONLY, WITH_DELTA
from tests.bench.smoke import be_offered, begin, memory_kib, wait_staged
from tests.integration.node.fleet import Fleet, running_fleet
from tests.integration.node.rig import Releases, Rig, make_image

GOAL_MIB: Final = 96
_MIB: Final = 1 << 20
_EVERY_MIB: Final = 16
_SPARE_BYTES: Final = 16 * _MIB
_MOVED_BYTES: Final = 5000
_CHANGED_BYTES: Final = 40_000


def measure(options: Options) -> list[Figure]:
    """Each size, full and by delta."""
    figures = []
    for size_mib in options.sizes_mib:
        for way, publish in (("full", FULL_ONLY), ("delta", WITH_DELTA)):
            with tempfile.TemporaryDirectory(prefix="memory-", dir=CACHE) as name:
                idle, peak = _measure(Path(name), size_mib, publish)
            title = f"image of {size_mib} MiB, {way}"
            figures.append(Figure(f"{title}: peak MiB", peak, GOAL_MIB))
            figures.append(Figure(f"{title}: idle MiB", idle))
    return figures


def _measure(folder: Path, size_mib: int, publish: tuple[str, ...]) -> tuple[float, float]:
    with _fleet(folder, size_mib, publish) as fleet:
        rig = fleet.node(folder / "node")
        if publish is WITH_DELTA:
            _give_booted_image(rig, fleet.images["1.0-big"])
        be_offered(rig, fleet)
        idle = memory_kib(rig, "VmRSS")
        begin(rig)
        wait_staged(rig)
        peak = memory_kib(rig, "VmHWM")
        took_delta = "by the delta from 1.0" in rig.logs_of("puad")
        assert took_delta == (publish is WITH_DELTA), "the image has come by another way"
        rig.cut_power()
    return idle / 1024, peak / 1024


@contextmanager
def _fleet(folder: Path, size_mib: int, publish: tuple[str, ...]) -> Iterator[Fleet]:
    releases = Releases(folder)
    small = make_image(folder, "1.0", releases.root_of_trust)
    images = {"1.0": small}
    if publish is WITH_DELTA:
        images["1.0-big"] = _grown(small, folder / "1.0-big.raw", size_mib, is_new=False)
        releases.publish("1.0", images["1.0-big"], "--level", "1", *FULL_ONLY)
    else:
        releases.publish("1.0", small, "--level", "1", *FULL_ONLY)
    front = make_image(folder, "2.0", releases.root_of_trust)
    new = _grown(front, folder / "2.0-big.raw", size_mib, is_new=True)
    releases.publish("2.0", new, "--level", "3", *publish)
    with running_fleet(folder, releases, images) as fleet:
        fleet.slot_bytes = size_mib * _MIB + _SPARE_BYTES
        yield fleet


def _grown(front: Path, image: Path, size_mib: int, *, is_new: bool) -> Path:
    """A bootable image of a size; of two such images the new one has the old one's data, moved."""
    chance = random.Random(size_mib)
    with front.open("rb") as begin, image.open("wb") as file:
        file.write(begin.read())
        for place in range(_EVERY_MIB, size_mib, _EVERY_MIB):
            data = chance.randbytes(_MIB)
            if is_new:
                data = data[_MOVED_BYTES:-_CHANGED_BYTES] + chance.randbytes(_CHANGED_BYTES)
            else:
                chance.randbytes(_CHANGED_BYTES)
            file.seek(place * _MIB)
            file.write(data)
        file.truncate(size_mib * _MIB)
    return image


def _give_booted_image(rig: Rig, image: Path) -> None:
    slot = rig.machine.slot_file("a")
    subprocess.run(["cp", "--sparse=always", image, slot], check=True)
    with slot.open("r+b") as file:
        file.truncate(rig.slot_bytes)
