# SPDX-License-Identifier: Apache-2.0
"""The base of all image formats, and their registry.

1. A format takes bytes and gives bytes; it opens nothing and knows neither network nor slot.
2. It never makes more bytes than it was asked for, whatever its input claims: a decompression bomb
   stops at the declared size.
3. What it gives is not yet trusted. The writer holds it against signed hashes.
4. A file that ends before its time, or goes on after it, is refused; where the format itself has
   no end, the writer finds that by counting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Final

REGISTRY: Final[dict[str, type[ImageFormat]]] = {}
PIECE_BYTES: Final = 1 << 18


class ImageFormat(ABC):
    """One way to publish an image.

    Args:
        name: The word for it in manifests and at the end of file names; none for a base of others.
    """

    def __init_subclass__(cls, *, name: str = "", **options: Any) -> None:  # noqa: ANN401 -- handed on to the base class as they came
        super().__init_subclass__(**options)
        if name in REGISTRY:
            raise TypeError(f"two image formats are called {name}")
        if name:
            REGISTRY[name] = cls

    @abstractmethod
    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:
        """Make what a whole file unpacks to, in pieces of at most `PIECE_BYTES`.

        The caller counts, and stops asking when it has what it needs.

        Args:
            pieces: The file's bytes, in order.
            memory_bytes: The most that unpacking may take, where the file says how much it needs.

        Raises:
            ImageError: `IMAGE_INVALID`, when the file is not of this format, or needs more memory.
        """


class FramedFormat(ImageFormat):
    """A format whose chunks have frames: each can be made without the others."""

    @abstractmethod
    def fill_chunk(self, frame: memoryview, into: memoryview) -> None:
        """Make one chunk of its frame, in the very memory that is written.

        Args:
            frame: The frame, whole.
            into: Room for as many image bytes as it must give, no more and no fewer.

        Raises:
            ImageError: `IMAGE_INVALID`, when the frame gives anything else.
        """
