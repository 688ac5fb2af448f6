# SPDX-License-Identifier: Apache-2.0
"""A root image as the publisher is given it: a file or block device, read once, chunk by chunk."""

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
from puad.core.chunks import CHUNK_BYTES, MAX_CHUNKS

MAX_BYTES: Final = CHUNK_BYTES * MAX_CHUNKS
# What is often given by mistake: offset of the mark, the mark, what it says, what to do.
_MISTAKES: Final = (
    (0, b"\x28\xb5\x2f\xfd", "it is compressed by zstd", "Decompress it first."),
    (0, b"\x1f\x8b", "it is compressed by gzip", "Decompress it first."),
    (0, b"\xfd7zXZ\x00", "it is compressed by xz", "Decompress it first."),
    (512, b"EFI PART", "it is a whole disk", "Give the root partition's file system alone."),
)


@dataclass(frozen=True, slots=True)
class RawImage:
    """An open root image.

    Attributes:
        descriptor: The open file.
        path: Its name, for messages.
        size: Its size in bytes.
        modified_ns: When it was last written, Unix time in nanoseconds.
    """

    descriptor: int
    path: Path
    size: int
    modified_ns: int

    @property
    def modified_at(self) -> datetime:
        """When it was last written, UTC."""
        return datetime.fromtimestamp(self.modified_ns // 1_000_000_000, UTC)

    def chunks(self) -> Iterator[bytes]:
        """The image's bytes, `CHUNK_BYTES` at a time, the last piece as long as it is.

        Raises:
            InputError: When the file cannot be read, or changes while it is.
        """
        offset = 0
        while offset < self.size:
            length = min(CHUNK_BYTES, self.size - offset)
            chunk = self._read(offset, length)
            if len(chunk) != length:
                raise InputError("the image became shorter while it was read", on=str(self.path))
            yield chunk
            offset += length
        if os.fstat(self.descriptor).st_mtime_ns != self.modified_ns:
            raise InputError("the image was written to while it was read", on=str(self.path))

    def _read(self, offset: int, length: int) -> bytes:
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


@contextmanager
def open_image(path: Path) -> Iterator[RawImage]:
    """Open a root image.

    Raises:
        InputError: When it is not there, empty, too large, compressed, or a whole disk.
    """
    with opened(path, device_serves=True) as descriptor:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if not 0 < size <= MAX_BYTES:
            raise InputError(
                f"an image has between 1 and {MAX_BYTES} bytes, this has {size}", on=str(path)
            )
        image = RawImage(descriptor, path, size, os.fstat(descriptor).st_mtime_ns)
        _refuse_mistakes(image)
        yield image


def _refuse_mistakes(image: RawImage) -> None:
    for offset, mark, what, hint in _MISTAKES:
        if os.pread(image.descriptor, len(mark), offset) == mark:
            raise InputError(f"this is not a raw root image: {what}", on=str(image.path), hint=hint)
