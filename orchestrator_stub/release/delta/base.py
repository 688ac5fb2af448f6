# SPDX-License-Identifier: Apache-2.0
"""A base: the old image of a delta, as the repository itself has published it.

Rules:

1. Its bytes are those that nodes have: they are taken from the published file and held against the
   signed image hash. One that does not have it is no base, and no more than that.
2. A compressed one is unpacked beside the release that is being made.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from orchestrator_stub.release.release import Release
from orchestrator_stub.release.sparse_file import PIECE_BYTES, sparse_file
from puad.core.chunks import MAX_FRAME_WINDOW_BYTES
from puad.core.extent import Extent


class NoBaseError(Exception):
    """The published file of an old image is not what was signed, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Base:
    """An old image whose bytes have been verified.

    Attributes:
        descriptor: The open file that holds them.
        size: How many they are.
    """

    descriptor: int
    size: int

    def read(self, run: Extent) -> bytes:
        """The bytes of a run that lies in the image.

        Raises:
            NoBaseError: When the file cannot be read, or has become shorter.
        """
        parts, offset = [], run.offset
        while offset < run.end:
            try:
                part = os.pread(self.descriptor, run.end - offset, offset)
            except OSError as error:
                raise NoBaseError(f"cannot be read: {error.strerror}") from error
            if not part:
                raise NoBaseError("became shorter while it was read")
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def serves_as_base(release: Release) -> bool:
    """Whether a release has a published file that a base can be taken from."""
    return release.manifest.format in _READERS and release.manifest.disk is None


@contextmanager
def opened_base(
    release: Release, file: Path, folder: Path, progress: Callable[[int], object]
) -> Iterator[Base]:
    """The old image of a release.

    Args:
        release: The release.
        file: Its published file.
        folder: Where a compressed one may be unpacked.
        progress: Called with the size of each piece that was verified.

    Raises:
        NoBaseError: When the file is not there, or not what was signed.
        WriteError: When it cannot be unpacked.
    """
    manifest = release.manifest
    try:
        source = file.open("rb")
    except OSError as error:
        raise NoBaseError(f"cannot be opened: {error.strerror}") from error
    with source, _READERS[manifest.format](source, folder, manifest.image_size) as image:
        base = Base(image, manifest.image_size)
        if os.fstat(image).st_size != base.size:
            raise NoBaseError("does not have its signed size")
        image_hash = hashlib.sha256()
        for offset in range(0, base.size, PIECE_BYTES):
            piece = base.read(Extent(offset, min(PIECE_BYTES, base.size - offset)))
            image_hash.update(piece)
            progress(len(piece))
        if image_hash.hexdigest() != manifest.image_hash:
            raise NoBaseError("does not have its signed hash")
        yield base


@contextmanager
def _as_it_is(source: BinaryIO, _folder: Path, _size: int) -> Iterator[int]:
    yield source.fileno()


@contextmanager
def _unpacked(source: BinaryIO, folder: Path, size: int) -> Iterator[int]:
    with sparse_file(folder) as image:
        for piece in _pieces(source):
            image.append(piece)
            if image.size > size:
                raise NoBaseError("is larger than it was signed")
        yield image.descriptor


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_FRAME_WINDOW_BYTES)
    try:
        with decompressor.stream_reader(source, read_across_frames=True, closefd=False) as reader:
            while piece := reader.read(PIECE_BYTES):
                yield piece
    except zstandard.ZstdError as error:
        raise NoBaseError(f"cannot be unpacked: {error}") from error
    except OSError as error:
        raise NoBaseError(f"cannot be read: {error.strerror}") from error


_READERS: Final = {"raw": _as_it_is, "raw.zst": _unpacked}
