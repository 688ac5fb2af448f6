# SPDX-License-Identifier: Apache-2.0
"""Writing a whole file: for images that have one hash for the file and no chunk index.

The hash is known only at the end, so bytes reach the slot before they are vouched for. Two things
make that safe: the slot is disarmed, and whatever ends the write but the right hash spoils it, by
zeros over the first and the last MiB of what the image covers. Nothing is resumed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterator
from typing import Final

from puad.config import Limits
from puad.core.errors import Code, ImageError, StorageError
from puad.download.release import Release
from puad.download.source import Source
from puad.images import ImageFormat
from puad.writer.buffers import BufferRing
from puad.writer.feed import Feed
from puad.writer.slot import SlotFile, make_buffer

_BLOCK_BYTES: Final = 1 << 20
_SPOILT_BYTES: Final = 1 << 20


class FileWriter:
    """One write of one image without an index.

    Args:
        slot: The slot.
        release: What the signed metadata say of the image.
        image_format: Makes the image of the file.
        source: Where the file comes from.
        limits: Bounds on memory, and on what is left unsynced.
    """

    def __init__(
        self,
        slot: SlotFile,
        release: Release,
        image_format: ImageFormat,
        source: Source,
        limits: Limits,
    ) -> None:
        self._slot = slot
        self._release = release
        self._size = release.manifest.image_size
        self._format = image_format
        self._source = source
        self._limits = limits
        self._ring = BufferRing(_BLOCK_BYTES, limits.queue_chunks)
        self._file_hash = hashlib.sha256()
        self._image_hash = hashlib.sha256()

    def write(self, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> str:
        """Bring the image to the slot and give its hash (see `write_image`)."""
        done = 0
        try:
            with Feed(self._blocks, self._ring.depth) as feed:
                for block in feed.items(cancelled):
                    self._slot.write(done, block)
                    done += len(block)
                    if self._slot.unsynced_bytes >= self._limits.journal_batch_bytes:
                        self._slot.sync()
                    progress(done, self._size)
            self._slot.sync()
        except BaseException:
            if done:
                self._spoil()
            raise
        return self._image_hash.hexdigest()

    def _blocks(self, stop: Callable[[], bool]) -> Generator[memoryview]:
        block = bytearray()
        done = 0
        for piece in self._format.decode_file(self._pieces(stop)):
            done += len(piece)
            if done > self._size:
                raise self._wrong(Code.IMAGE_INVALID, "has more bytes than its signed size")
            block += piece
            if len(block) >= _BLOCK_BYTES:
                yield self._hashed(block[:_BLOCK_BYTES])
                del block[:_BLOCK_BYTES]
        if block:
            yield self._hashed(block)
        if done < self._size:
            raise self._wrong(Code.IMAGE_INVALID, "has fewer bytes than its signed size")
        if self._file_hash.hexdigest() != self._release.file_hash:
            raise self._wrong(Code.HASH_MISMATCH, "comes from a file without the signed hash")
        if self._image_hash.hexdigest() != self._release.manifest.image_hash:
            raise self._wrong(Code.HASH_MISMATCH, "does not have the signed hash")

    def _pieces(self, stop: Callable[[], bool]) -> Iterator[bytes]:
        for piece in self._source.read(0, self._release.file_size, stop):
            self._file_hash.update(piece)
            yield piece

    def _hashed(self, block: bytearray) -> memoryview:
        data = self._ring.fill(block)
        self._image_hash.update(data)
        return data

    def _spoil(self) -> None:
        zeros = make_buffer(min(_SPOILT_BYTES, self._size))
        with contextlib.suppress(StorageError):  # the error that led here is the one to report
            self._slot.write(0, zeros)
            self._slot.write(self._size - len(zeros), zeros)
            self._slot.sync()

    def _wrong(self, code: Code, what: str) -> ImageError:
        return ImageError(code, f"The image {what}", on=self._release.path)
