# SPDX-License-Identifier: Apache-2.0
"""The format `raw`: the published file is the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from puad.core.errors import Code, ImageError
from puad.images.format import PIECE_BYTES, FramedFormat


class Raw(FramedFormat, name="raw"):
    """An image as it is."""

    def fill_chunk(self, frame: memoryview, into: memoryview) -> None:
        """The frame itself."""
        if len(frame) != len(into):
            what = f"A chunk of {len(into)} bytes has a frame of {len(frame)}"
            raise ImageError(Code.IMAGE_INVALID, what)
        into[:] = frame

    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:  # noqa: ARG002 -- it takes none
        """The file itself."""
        for piece in pieces:
            for start in range(0, len(piece), PIECE_BYTES):
                yield piece[start : start + PIECE_BYTES]
