# SPDX-License-Identifier: Apache-2.0
"""The decoding stage: makes a chunk in the buffer that is written, and checks its hash there.

A frame of the full file that does not give its chunk ends the write. A chunk that a delta does not
give goes back to be fetched from the full file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from puad.core.chunks import Chunk
from puad.core.errors import Code, ImageError
from puad.images import FramedFormat
from puad.writer.ledger import Ledger
from puad.writer.plan import Way, WritePlan
from puad.writer.tray import Tray

if TYPE_CHECKING:  # a node at rest goes without zstd
    from puad.writer.delta_frame import DeltaFrames


class ChunkDecoder:
    """Decodes trays; several threads may do so at once.

    Args:
        chunks: All chunks of the image.
        image_format: Makes a chunk of a frame of the full file.
        plan: Says how a delta makes a chunk.
        frames: Makes chunks by the delta; None when there is none.
        ledger: Told how each chunk of the delta came out.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        image_format: FramedFormat,
        plan: WritePlan,
        frames: DeltaFrames | None,
        ledger: Ledger,
    ) -> None:
        self._chunks = chunks
        self._format = image_format
        self._plan = plan
        self._frames = frames
        self._ledger = ledger

    def decode(self, tray: Tray) -> bool:
        """Make the bytes of a tray; False when the delta does not give them.

        Raises:
            ImageError: When the full file does not give them.
        """
        if tray.way is not Way.FULL:
            return self._decode_delta(tray)
        self._format.fill_chunk(tray.frame, tray.data)
        if not self._is_right(tray):
            raise ImageError(
                Code.HASH_MISMATCH,
                f"Chunk {tray.number} of the image does not have its signed hash",
            )
        return True

    def _decode_delta(self, tray: Tray) -> bool:
        came_out = False
        try:
            made = self._plan.made(tray.number)
            came_out = (
                made is not None
                and self._frames is not None
                and self._frames.fill(made, tray.frame, tray.data)
                and self._is_right(tray)
            )
        finally:
            self._ledger.end(tray.number, came_out=came_out)
        return came_out

    def _is_right(self, tray: Tray) -> bool:
        return is_chunk(self._chunks[tray.number], tray.data)


def is_chunk(chunk: Chunk, data: memoryview) -> bool:
    """Whether these bytes have the chunk's signed hash."""
    return hashlib.sha256(data).digest() == chunk.sha256
