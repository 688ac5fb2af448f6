# SPDX-License-Identifier: Apache-2.0
"""Chunks by a delta: as they stand in the old image, or of a frame with windows of it.

A frame of a delta is a zstd frame whose dictionary is the raw content of its windows, one after the
other (docs/adr/0015). The windows are read into one room that all threads share, one at a time;
zstd keeps a copy of them while it decompresses. So it takes that room and one dictionary for each
thread.
"""

from __future__ import annotations

import threading

import zstandard

from puad.core.delta import MAX_FRAME_WINDOW_BYTES, DeltaChunk
from puad.images import zstd_frame
from puad.writer.old_image import OldImage
from puad.writer.slot import make_buffer


class DeltaFrames:
    """Makes chunks of the old image.

    Args:
        old: The old image.
        dictionary_bytes: Size of the largest dictionary.
    """

    def __init__(self, old: OldImage, dictionary_bytes: int) -> None:
        self._old = old
        self._room = make_buffer(max(1, dictionary_bytes))
        self._lock = threading.Lock()

    def fill(self, made: DeltaChunk, frame: memoryview, into: memoryview) -> bool:
        """Make one chunk; what comes out is not yet checked.

        Args:
            made: How it comes about.
            frame: Its frame; empty when the old image has the chunk as it is.
            into: Room for exactly the chunk.

        Returns:
            False when the old image cannot be read there, or the frame does not fit it.
        """
        if made.frame is None:
            return self._old.read(made.windows, into)
        dictionary = None
        if made.windows:
            with self._lock:
                windows = self._room[: made.dictionary_bytes]
                if not self._old.read(made.windows, windows):
                    return False
                dictionary = zstandard.ZstdCompressionDict(
                    windows, dict_type=zstandard.DICT_TYPE_RAWCONTENT
                )
        try:
            zstd_frame.fill(frame, into, MAX_FRAME_WINDOW_BYTES, dictionary)
        except zstandard.ZstdError:
            return False
        return True
