# SPDX-License-Identifier: Apache-2.0
"""The format `raw.zst`: independent zstd frames of one chunk each, one after the other.

Every frame states how many bytes it makes, so the size is compared before a byte is decompressed,
and zstd gets room for exactly that many. Frames that need a large window are refused: the node has
little memory, and a chunk of an image needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import zstandard

from puad.core.chunks import MAX_FRAME_WINDOW_BYTES
from puad.core.errors import Code, ImageError
from puad.images import zstd_frame
from puad.images.format import PIECE_BYTES, FramedFormat


class RawZst(FramedFormat, name="raw.zst"):
    """An image in zstd frames."""

    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:  # noqa: ARG002 -- at most a window
        """Decompress frame after frame."""
        source = _PieceReader(pieces)
        reader = _decompressor().stream_reader(source, read_across_frames=True)  # type: ignore[arg-type]  # it only calls read()
        try:
            while piece := reader.read(PIECE_BYTES):
                yield piece
        except zstandard.ZstdError as error:
            raise _invalid(str(error)) from error

    def fill_chunk(self, frame: memoryview, into: memoryview) -> None:
        """Decompress one frame without a copy."""
        try:
            zstd_frame.fill(frame, into, MAX_FRAME_WINDOW_BYTES)
        except zstandard.ZstdError as error:
            raise _invalid(str(error)) from error


class _PieceReader:
    """Pieces in the shape that zstd reads from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._rest or next(self._pieces, b"")
        self._rest = data[size:]
        return data[:size]


def _decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(max_window_size=MAX_FRAME_WINDOW_BYTES)


def _invalid(why: str) -> ImageError:
    return ImageError(Code.IMAGE_INVALID, f"The image's zstd frames cannot be read: {why}")
