# SPDX-License-Identifier: Apache-2.0
"""The chain: what a caller offers to vouch for an image, and how much of it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bootloader.chunks import MAX_INDEX_BYTES
from bootloader.errors import BootloaderError, ErrorName

MAX_ROOTS: Final = 256
MAX_ROOT_BYTES: Final = 512 << 10
MAX_CHAIN_BYTES: Final = 5 << 20  # of all roots together; parsing takes some thirty times as much
MAX_TARGETS_BYTES: Final = 5 << 20
MAX_VALUES: Final = 300_000  # a value of two bytes becomes an object of a hundred
_MAX_PATH: Final = 1024


@dataclass(frozen=True, slots=True)
class Chain:
    """The signed metadata, and the chunk index that they sign.

    Attributes:
        roots: Every root that follows the node's own, oldest first.
        targets: The top-level targets metadata.
        target_path: The image's path among the targets.
        index: The image's chunk index as published; empty when there is none.
    """

    roots: Sequence[bytes]
    targets: bytes
    target_path: str
    index: bytes = b""

    def require_bounded(self) -> None:
        """Refuse what is too long to be parsed.

        Raises:
            BootloaderError: `InvalidArgument`.
        """
        too_long = any(len(root) > MAX_ROOT_BYTES for root in self.roots)
        if too_long or len(self.roots) > MAX_ROOTS or sum(map(len, self.roots)) > MAX_CHAIN_BYTES:
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the root chain is too long")
        if len(self.targets) > MAX_TARGETS_BYTES:
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the targets metadata are too long")
        if sum(map(_most_values, (*self.roots, self.targets))) > MAX_VALUES:
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the metadata have too many values")
        if len(self.index) > MAX_INDEX_BYTES:
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the chunk index is too long")
        if len(self.target_path) > _MAX_PATH:
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the target path is too long")


def _most_values(metadata: bytes) -> int:
    """How many values JSON has at most, without parsing it."""
    return sum(map(metadata.count, (b",", b"[", b"{")))
