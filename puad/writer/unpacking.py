# SPDX-License-Identifier: Apache-2.0
"""Unpacking a published file from its beginning to its end.

1. One thread fetches and hashes the file, the caller's unpacks it, with a few pieces between them.
2. It gives exactly what it is asked for: a file that makes less, or more, is not the signed one.
3. Nothing that it gives is vouched for, except after `finish`: then the file had the signed hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.errors import Code, ImageError
from puad.download.release import Release
from puad.download.source import Source
from puad.images import ImageFormat
from puad.writer.feed import Feed

_PIECES_AHEAD: Final = 8


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A published file.

    Attributes:
        release: What the signed metadata say of it.
        image_format: Unpacks it.
        source: Where it comes from.
    """

    release: Release
    image_format: ImageFormat
    source: Source


class Unpacking:
    """One pass over a published file, within a `with` block.

    Args:
        file: The file.
        limits: Bounds on memory.
        stop: Says whether to stop; asked at each piece.
    """

    def __init__(self, file: PublishedFile, limits: Limits, stop: Callable[[], bool]) -> None:
        self._file = file
        self._stop = stop
        self._hash = hashlib.sha256()
        self._feed = Feed(self._fetch, _PIECES_AHEAD)
        self._made = file.image_format.decode_file(self._feed.items(stop), limits.xz_memory_bytes)
        self._rest = memoryview(b"")

    def fill(self, into: memoryview) -> None:
        """The next bytes, as many as `into` takes.

        Raises:
            PuadError: The file cannot be had, or it is not the signed one, or `CANCELLED`.
        """
        done = 0
        while done < len(into):
            piece = self._take(len(into) - done)
            into[done : done + len(piece)] = piece
            done += len(piece)

    def skip(self, length: int) -> None:
        """Drop the next so many bytes (see `fill`)."""
        while length:
            length -= len(self._take(length))

    def finish(self) -> None:
        """Make sure that it ends here, and that the whole file had the signed hash.

        Raises:
            ImageError: `IMAGE_INVALID` or `HASH_MISMATCH`.
        """
        if self._rest or any(self._made):
            raise self._wrong(Code.IMAGE_INVALID, "has more bytes than its signed size")
        if self._hash.hexdigest() != self._file.release.file_hash:
            raise self._wrong(Code.HASH_MISMATCH, "comes from a file without the signed hash")

    def __enter__(self) -> Self:
        self._feed.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._feed.__exit__(kind, error, trace)

    def _fetch(self, stop: Callable[[], bool]) -> Generator[bytes]:
        for piece in self._file.source.read(0, self._file.release.file_size, stop):
            self._hash.update(piece)
            yield piece

    def _take(self, most_bytes: int) -> memoryview:
        if not self._rest:
            require_going_on(self._stop)
            made = next(self._made, b"")
            if not made:
                raise self._wrong(Code.IMAGE_INVALID, "has fewer bytes than its signed size")
            self._rest = memoryview(made)
        taken, self._rest = self._rest[:most_bytes], self._rest[most_bytes:]
        return taken

    def _wrong(self, code: Code, what: str) -> ImageError:
        return ImageError(code, f"The image {what}", on=self._file.release.path)
