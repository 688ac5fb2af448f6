# SPDX-License-Identifier: Apache-2.0
"""The fuzz targets by name: one for each parser of what came from elsewhere."""

from __future__ import annotations

from typing import Final

from tests.fuzz.boot_gpt import BOOT_GPT
from tests.fuzz.delta_index import DELTA_INDEX
from tests.fuzz.fat import FAT
from tests.fuzz.gpt import GPT
from tests.fuzz.index import BOOT_INDEX, INDEX
from tests.fuzz.manifest import BOOT_MANIFEST, MANIFEST
from tests.fuzz.target import Target
from tests.fuzz.uki import UKI

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        INDEX,
        DELTA_INDEX,
        MANIFEST,
        BOOT_INDEX,
        BOOT_MANIFEST,
        GPT,
        BOOT_GPT,
        FAT,
        UKI,
    )
}
