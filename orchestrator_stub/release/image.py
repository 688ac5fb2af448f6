# SPDX-License-Identifier: Apache-2.0
"""An image as the publisher has it: a file or block device that can be read at any place.

It is a root image or a whole disk, as it was given or as it was unpacked. It is given out chunk by
chunk, for the published file, and at any place, for those who look for something on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator_stub.release.errors import InputError
from orchestrator_stub.release.inputs import opened, unreadable
from orchestrator_stub.release.size import size_text
from puad.core.chunks import CHUNK_BYTES, MAX_CHUNKS
from puad.core.disk_map import DiskMap
from puad.core.extent import Extent
from puad.core.packing import MARK_BYTES, Packing, find_packing

# Where a root image begins and ends on a disk, a chunk does: that can make two more of them.
MAX_BYTES: Final = CHUNK_BYTES * (MAX_CHUNKS - 2)
_ZSTD_MARK: Final = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class RawImage:
    """An open image.

    Attributes:
        descriptor: The open file.
        path: The name of the file that was given, for messages.
        size: Its size in bytes.
        modified_ns: When it was last written, Unix time in nanoseconds.
        packing: How it is packed; None when it is not.
        packed: The file that it was unpacked from; None when it is the one that was given.
        disk: Where its root image lies; None when it is the root image.
    """

    descriptor: int
    path: Path
    size: int
    modified_ns: int
    packing: Packing | None = None
    packed: RawImage | None = None
    disk: DiskMap | None = None

    @property
    def modified_at(self) -> datetime:
        """When it was last written, UTC."""
        return datetime.fromtimestamp(self.modified_ns // 1_000_000_000, UTC)

    @property
    def root(self) -> Extent:
        """Where its root image lies."""
        return self.disk.root if self.disk else Extent(0, self.size)

    def chunks(self) -> Iterator[bytes]:
        """All its bytes, `CHUNK_BYTES` at a time; fewer in front of a border of the root image.

        Raises:
            InputError: When the file cannot be read, or changes while it is.
        """
        offset = 0
        for end in (self.root.offset, self.root.end, self.size):
            while offset < end:
                length = min(CHUNK_BYTES, end - offset)
                chunk = self.read(offset, length)
                if len(chunk) != length:
                    raise InputError("the image became shorter while it was read", on=self.name)
                yield chunk
                offset += length
        if os.fstat(self.descriptor).st_mtime_ns != self.modified_ns:
            raise InputError("the image was written to while it was read", on=self.name)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at a place; fewer only where the file ends.

        Raises:
            InputError: When the file cannot be read.
        """
        try:
            data = os.pread(self.descriptor, length, offset)
            while data and len(data) < length:
                more = os.pread(self.descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise unreadable(self.path, error) from error
        return data

    @property
    def name(self) -> str:
        """The name of the file that was given, as text."""
        return str(self.path)


@contextmanager
def open_image(path: Path) -> Iterator[RawImage]:
    """Open an image as it was given.

    Raises:
        InputError: When it is not there, empty, too large, or compressed by zstd.
    """
    with opened(path, device_serves=True) as descriptor:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if not 0 < size <= MAX_BYTES:
            most, given = size_text(MAX_BYTES), size_text(size)
            raise InputError(f"an image has from 1 B to {most}, this has {given}", on=str(path))
        image = RawImage(descriptor, path, size, os.fstat(descriptor).st_mtime_ns)
        refuse_zstd(image)
        packing = find_packing(image.read(0, MARK_BYTES))
        yield RawImage(descriptor, path, size, image.modified_ns, packing)


def refuse_zstd(image: RawImage) -> None:
    """Refuse an image that zstd has compressed.

    Raises:
        InputError: When it is one.
    """
    if image.read(0, len(_ZSTD_MARK)) == _ZSTD_MARK:
        raise InputError(
            "this is not an image: it is compressed by zstd",
            on=image.name,
            hint="Decompress it first: `add` makes frames of its own.",
        )
