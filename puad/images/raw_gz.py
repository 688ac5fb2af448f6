# SPDX-License-Identifier: Apache-2.0
"""The format `raw.gz`: what `gzip`, `pigz` and the like make, of one member or several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from puad.core.packing import Packing, unpack
from puad.images.format import PIECE_BYTES, ImageFormat


class RawGz(ImageFormat, name="raw.gz"):
    """An image compressed by gzip. It has no frames: its chunks come one after another."""

    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:
        """Unpack member after member."""
        return unpack(Packing.GZIP, pieces, memory_bytes=memory_bytes, most_bytes=PIECE_BYTES)
