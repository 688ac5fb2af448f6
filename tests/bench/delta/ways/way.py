# SPDX-License-Identifier: Apache-2.0
"""A way to bring a new image to a node that has an old one: what each contender must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.delta.pairs import Images
from tests.bench.measured import Used


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher has made.

    Attributes:
        wire_bytes: What a node has to fetch of it.
        used: What making it took; None when that was not asked for by itself.
        note: What a reader has to know about the figure.
    """

    wire_bytes: int
    used: Used | None
    note: str = ""


class Way(ABC):
    """One contender on one pair.

    Args:
        images: The pair.
        folder: Where it may keep its files.
    """

    name = ""
    is_slow = False  # its installs take minutes: one is enough

    def __init_subclass__(cls, *, name: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = name or cls.name

    def __init__(self, images: Images, folder: Path) -> None:
        self.images = images
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def publish(self) -> Published:
        """Do the publisher's part."""

    @abstractmethod
    def install(self, slot: Path) -> Used | None:
        """Do the node's part: the slot has the new image, and it is on the medium.

        None when it cannot be done on this machine.
        """
