# SPDX-License-Identifier: Apache-2.0
"""Writing a whole file: for images that have one hash for the file and no chunk index.

The hash is known only at the end, so bytes reach the slot before they are vouched for. Two things
make that safe: the slot is disarmed, and whatever ends the write but the right hash spoils it, by
zeros over the first and the last MiB of what the image covers; spools of boot files are emptied.
Nothing is resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

from puad.config import Limits
from puad.core.errors import Code, ImageError
from puad.core.extent import Extent
from puad.writer.buffers import BufferRing
from puad.writer.destination import Destination
from puad.writer.feed import Feed
from puad.writer.unpacking import PublishedFile, Unpacking

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Block:
    """Bytes of what the file unpacks to, and the buffer that holds them."""

    offset: int
    data: memoryview


class FileWriter:
    """One write of one image without an index.

    Args:
        destination: Where it goes.
        file: The published file.
        limits: Bounds on memory, and on what is left unsynced.
    """

    def __init__(self, destination: Destination, file: PublishedFile, limits: Limits) -> None:
        self._destination = destination
        self._file = file
        self._manifest = file.release.manifest
        self._limits = limits
        self._ring = BufferRing(_BLOCK_BYTES, limits.queue_chunks)
        self._image_hash = hashlib.sha256()

    def write(self, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> str:
        """Bring the image to the destination and give its hash (see `write_image`)."""
        wanted_bytes = sum(extent.length for extent in self._extents() if self._wants(extent))
        done = unsynced_bytes = 0
        try:
            with Feed(self._blocks, self._ring.depth) as feed:
                for block in feed.items(cancelled):
                    done += len(block.data)
                    self._destination.write(block.offset, block.data)
                    unsynced_bytes += len(block.data)
                    if unsynced_bytes >= self._limits.journal_batch_bytes:
                        self._destination.sync()
                        unsynced_bytes = 0
                    progress(done, wanted_bytes)
            self._destination.sync()
        except BaseException:
            if done:
                self._destination.spoil()
            raise
        return self._image_hash.hexdigest()

    def _blocks(self, stop: Callable[[], bool]) -> Generator[_Block]:
        with Unpacking(self._file, self._limits, stop) as unpacking:
            for extent in self._extents():
                if not self._wants(extent):
                    unpacking.skip(extent.length)
                    continue
                data = self._ring.take(extent.length)
                unpacking.fill(data)
                if self._manifest.root_extent.part_of(extent).length:
                    self._image_hash.update(data)
                yield _Block(extent.offset, data)
            unpacking.finish()
        if self._image_hash.hexdigest() != self._manifest.image_hash:
            what = "The image does not have the signed hash"
            raise ImageError(Code.HASH_MISMATCH, what, on=self._file.release.path)

    def _extents(self) -> Iterator[Extent]:
        """Blocks of what the file unpacks to; they begin and end where the root image does."""
        root = self._manifest.root_extent
        for start, end in (
            (0, root.offset),
            (root.offset, root.end),
            (root.end, self._manifest.unpacked_size),
        ):
            for offset in range(start, end, _BLOCK_BYTES):
                yield Extent(offset, min(_BLOCK_BYTES, end - offset))

    def _wants(self, extent: Extent) -> bool:
        return self._destination.wants(extent.offset, extent.length)
