# SPDX-License-Identifier: Apache-2.0
"""Whole: all of puad on the rig, from DOWNLOADING to STAGED, against `zstd -dc | dd`.

The real processes on a real bus: daemon, boot control and orchestrator, with a boot file and the
seal. The slots are files, which boot control claims by leases.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from tests.bench.delta.roots import CACHE, POINT_RELEASE, make_root
from tests.bench.figures import Figure, alternated
from tests.bench.install.options import Options
from tests.bench.smoke import decompressed_in, fleet_of, installed_in
from tests.integration.node.rig import Releases, make_image

_MIB: Final = 1 << 20


def measure(options: Options) -> list[Figure]:
    """A Debian 12 that a node could boot, installed again and again."""
    taken: dict[str, list[float]] = {"puad": [], "zstd -dc | dd": []}
    with tempfile.TemporaryDirectory(prefix="whole-", dir=CACHE) as name:
        folder = Path(name)
        releases = Releases(folder)
        image = make_image(folder, "2.0", releases.root_of_trust, base=make_root(POINT_RELEASE))
        with fleet_of(folder, image, releases) as fleet:
            for number in range(options.rounds):
                rig = fleet.node(folder / f"node{number}")
                taken["puad"].append(installed_in(rig, fleet))
                taken["zstd -dc | dd"].append(decompressed_in(rig))
                rig.cut_power()
        size = image.stat().st_size
    ours, theirs = taken.values()
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return [
        alternated("DOWNLOADING to STAGED / zstd -dc | dd", ratios),
        *(alternated(f"{who}, s", values) for who, values in taken.items()),
        Figure("MiB of image", size / _MIB),
    ]
