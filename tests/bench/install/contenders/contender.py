# SPDX-License-Identifier: Apache-2.0
"""A contender: something that brings an image onto a device, and what it promises when it is done.

Whatever it promises, the clock stops after an fsync of the device: all of them are at equal sync.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.loop_device import sync
from tests.bench.measured import Used
from tests.bench.published import Repository


@dataclass(frozen=True, slots=True)
class Stage:
    """What contenders install from.

    Attributes:
        image: The plain image.
        repository: It as puad publishes it, a file that zstd reads as well.
        version: Its version there.
        url: Where the repository is served.
        folder: Where a contender may keep its files.
    """

    image: Path
    repository: Repository
    version: str
    url: str
    folder: Path


class Contender(ABC):
    """One contender.

    Args:
        stage: What it installs from.
    """

    name = ""
    promises = ""
    most_rounds = 1 << 10  # fewer for one whose installs take minutes

    def __init_subclass__(cls, *, name: str = "", promises: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name, cls.promises = name or cls.name, promises or cls.promises

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @abstractmethod
    def install(self, device: Path) -> dict[str, Used]:
        """Install once; what each named way of it took, until all was on the medium."""


def synced(run: Callable[[], Used], device: Path) -> Used:
    """What an operation and the fsync after it took."""
    started = time.monotonic()
    used = run()
    sync(device)
    return replace(used, seconds=time.monotonic() - started)
