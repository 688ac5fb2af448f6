# SPDX-License-Identifier: Apache-2.0
"""Where chunks go: the slot, or what takes a whole disk apart into slot and boot files."""

from __future__ import annotations

from typing import Protocol


class ChunkDestination(Protocol):
    """Positioned reads and writes, by places in what the published file unpacks to.

    Every method but `wants` and `read` raises `StorageError` when the medium fails.
    """

    @property
    def unsynced_bytes(self) -> int:
        """How much was written since the last `sync`."""
        ...

    def wants(self, offset: int, length: int) -> bool:
        """Whether anything of this range goes anywhere."""
        ...

    def write(self, offset: int, data: memoryview) -> None:
        """Write all of `data`, which lies in a buffer of `make_buffer`."""
        ...

    def zero(self, offset: int, length: int) -> None:
        """Make a range zero."""
        ...

    def read(self, offset: int, into: memoryview) -> bool:
        """Fill `into` with what is there; False when the medium does not give it."""
        ...

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        ...
