# SPDX-License-Identifier: Apache-2.0
"""Reading back past the page cache: what the medium holds, not what memory remembers of it.

Several reads are under way while others are hashed. With a hash for each chunk, chunks are hashed
side by side in whatever order they come; one hash over all of it is made in order, by one core.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bootloader.chunks import Chunk
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.readers import BUFFER_BYTES, Readers

Progress = Callable[[int], None]
"""Told how many bytes have been read back, one call at a time."""

_BLOCK_BYTES: Final = 4096  # direct I/O begins and ends at multiples of it
_MIB: Final = 1 << 20


def _nobody(_: int) -> None: ...


def hash_from_medium(fd: int, size: int, name: str, progress: Progress = _nobody) -> str:
    """SHA-256 of the first `size` bytes, hex; of fewer when the file ends before.

    It reads with O_DIRECT where the file system can, and otherwise drops the cached pages first.

    Args:
        fd: What to read; its file status flags change while it is read.
        size: How many bytes.
        name: What it is called in errors.
        progress: Told how far it is.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    readers = _OneHash(fd, size, progress)
    with storage_errors(name), _past_the_cache(fd):
        readers.run()
    progress(size)
    return readers.digest.hexdigest()


def verify_chunks(
    fd: int, chunks: Sequence[Chunk], name: str, progress: Progress = _nobody
) -> None:
    """Compare each chunk with its hash, in the same way; the first that differs is the last read.

    Args:
        fd: What to read; its file status flags change while it is read.
        chunks: Every chunk of the image, in order.
        name: What it is called in errors.
        progress: Told how far it is.

    Raises:
        BootloaderError: `ImageMismatch`, which names the chunk, or `StorageFailed`.
    """
    with storage_errors(name), _past_the_cache(fd):
        _ChunkHashes(fd, chunks, name, progress).run()
    progress(chunks[-1].end)


class _OneHash(Readers[int]):
    """One hash over blocks that are read side by side and hashed in order."""

    def __init__(self, fd: int, size: int, progress: Progress) -> None:
        super().__init__(_blocks(size, progress), -(-size // BUFFER_BYTES))
        self._fd = fd
        self._size = size
        self.digest = hashlib.sha256()

    def take(self, number: int, piece: int, buffer: memoryview) -> None:
        """See `Readers`."""
        data = _read(self._fd, piece, self._size, buffer)
        with self.turn(number):
            self.digest.update(data)


class _ChunkHashes(Readers[Chunk]):
    """A hash for each chunk, in any order."""

    def __init__(self, fd: int, chunks: Sequence[Chunk], name: str, progress: Progress) -> None:
        super().__init__(_in_order(chunks, progress), len(chunks))
        self._fd = fd
        self._name = name

    def take(self, number: int, piece: Chunk, buffer: memoryview) -> None:
        """See `Readers`."""
        digest = hashlib.sha256()
        done = piece.offset
        while done < piece.end and (data := _read(self._fd, done, piece.end, buffer)):
            digest.update(data)
            done += len(data)
        if digest.digest() != piece.sha256:
            where = f"chunk {number}, at {piece.offset / _MIB:.2f} MiB"
            what = f"the slot does not hold the signed image: {where}, is another one"
            raise BootloaderError(ErrorName.IMAGE_MISMATCH, what, on=self._name)


def _blocks(size: int, progress: Progress) -> Iterator[int]:
    for begin in range(0, size, BUFFER_BYTES):
        progress(begin)
        yield begin


def _in_order(chunks: Sequence[Chunk], progress: Progress) -> Iterator[Chunk]:
    for chunk in chunks:
        progress(chunk.offset)
        yield chunk


@contextmanager
def _past_the_cache(fd: int) -> Iterator[None]:
    """While it lasts, the descriptor reads from the medium."""
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
    except OSError:  # not on this file system: the pages are dropped, which is what is left
        flags = -1
    try:
        yield
    finally:
        if flags >= 0:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def _read(fd: int, begin: int, end: int, buffer: memoryview) -> memoryview:
    """The bytes from `begin` on: to `end`, or what the buffer takes, or up to the file's end."""
    lead = begin % _BLOCK_BYTES
    start = begin - lead
    wanted = min(-(-(end - start) // _BLOCK_BYTES) * _BLOCK_BYTES, len(buffer))
    filled = 0
    while filled < wanted and (count := os.preadv(fd, [buffer[filled:wanted]], start + filled)):
        filled += count
    return buffer[lead : max(lead, min(filled, end - start))]
