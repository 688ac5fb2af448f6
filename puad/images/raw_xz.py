# SPDX-License-Identifier: Apache-2.0
"""The format `raw.xz`: what `xz` makes, of one stream or several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from puad.core.errors import ImageError
from puad.core.packing import MemoryNeededError, Packing, unpack
from puad.images.format import PIECE_BYTES, ImageFormat


class RawXz(ImageFormat, name="raw.xz"):
    """An image compressed by xz. It has no frames: its chunks come one after another."""

    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:
        """Unpack stream after stream."""
        try:
            yield from unpack(Packing.XZ, pieces, memory_bytes=memory_bytes, most_bytes=PIECE_BYTES)
        except MemoryNeededError as error:
            raise ImageError(
                error.code,
                f"{error.what}, {memory_bytes} bytes (limits.xz_memory_bytes)",
            ) from error
