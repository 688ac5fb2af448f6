# SPDX-License-Identifier: Apache-2.0
"""The deltas that may serve: what the installer offers to a write, and the active slot with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from puad.writer.delta_file import DeltaFile
from puad.writer.old_image import OldImage

if TYPE_CHECKING:
    from puad.writer.delta_frame import DeltaFrames


class Deltas:
    """Deltas from what lies on the active slot.

    Args:
        active: Descriptor of the active slot, for reading; it stays the caller's.
        load: Fetches their indexes, one after the other; called when something is to be fetched.
    """

    def __init__(self, active: int, load: Callable[[], Iterator[DeltaFile]]) -> None:
        self._old = OldImage(active)
        self.load = load

    def frames(self, dictionary_bytes: int) -> DeltaFrames:
        """What makes chunks of the active slot.

        Args:
            dictionary_bytes: Size of the largest dictionary.
        """
        from puad.writer.delta_frame import DeltaFrames  # noqa: PLC0415 -- a node at rest goes without zstd

        return DeltaFrames(self._old, dictionary_bytes)

    def close(self) -> None:
        """Leave nothing of the active slot in the page cache."""
        self._old.close()
