# SPDX-License-Identifier: Apache-2.0
"""One zstd frame, decompressed into memory that is there already.

1. The frame says how many bytes it makes, and that is the room that it gets: a bomb stops there,
   and zstd writes straight into that room, with no window of its own beside it.
2. The frame ends where the given bytes end. zstd alone would not say that something follows.
"""

from __future__ import annotations

from typing import Final

import zstandard

_CHECKSUM_BYTES: Final = 4
_BLOCK_HEAD_BYTES: Final = 3
_REPEATED: Final = 1  # a block of one byte, many times (RFC 8878, 3.1.1.2.2)


def fill(
    frame: memoryview,
    into: memoryview,
    max_window_bytes: int,
    dictionary: zstandard.ZstdCompressionDict | None = None,
) -> None:
    """Decompress one frame that makes exactly as many bytes as there is room.

    Args:
        frame: The frame, whole.
        into: The room.
        max_window_bytes: Frames that want a larger window are refused.
        dictionary: What it was compressed against; None for nothing.

    Raises:
        ZstdError: When the frame is broken, or makes anything else.
    """
    if frame[: len(zstandard.FRAME_HEADER)] != zstandard.FRAME_HEADER:
        raise zstandard.ZstdError("a frame does not begin like one")  # it may be a skippable one
    head = zstandard.get_frame_parameters(frame)
    if head.content_size != len(into):
        raise zstandard.ZstdError(f"a frame for {len(into)} bytes declares {head.content_size}")
    if head.window_size > max_window_bytes:
        raise zstandard.ZstdError(f"a frame wants a window of {head.window_size} bytes")
    end = _end_of_blocks(frame) + _CHECKSUM_BYTES * head.has_checksum
    if end != len(frame):
        raise zstandard.ZstdError(f"a frame of {end} bytes lies in {len(frame)}")
    decompressor = zstandard.ZstdDecompressor(
        dict_data=dictionary, max_window_size=max_window_bytes
    )
    with decompressor.stream_reader(frame) as reader:
        reader.readinto(into)  # zstd itself refuses a frame that makes fewer bytes than it declares


def _end_of_blocks(frame: memoryview) -> int:
    """Where the last block ends: each says how long it is."""
    at = zstandard.frame_header_size(frame)
    last = False
    while not last:
        if at + _BLOCK_HEAD_BYTES > len(frame):
            raise zstandard.ZstdError("a frame ends too early")
        head = int.from_bytes(frame[at : at + _BLOCK_HEAD_BYTES], "little")
        last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        at += _BLOCK_HEAD_BYTES + (1 if kind == _REPEATED else size)
    return at
