# SPDX-License-Identifier: Apache-2.0
"""The chunk journal: which chunks of a file are on the slot, kept over a crash and a power cut.

It only saves work and is never trusted: a chunk that it lists is read back from the slot and hashed
before it counts. The form is text, one line after another, each with its CRC-32 at the end::

    puad-chunks 1 <file hash> <crc>
    <first> <last> <crc>

A line is written only after the chunks' bytes were fsynced. The first line that does not hold, and
all after it, are a torn tail and are cut off. A journal of another file is begun anew.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from puad.core.chunks import MAX_CHUNKS
from puad.core.errors import StorageError
from puad.core.storage import refused_write

_MAX_BYTES: Final = 8 << 20
_LINE: Final = re.compile(rb"([0-9]{1,6}) ([0-9]{1,6}) [0-9a-f]{8}")
_CRC_BYTES: Final = 8
_MOST_LISTED: Final = 4 * MAX_CHUNKS  # each is listed once; more is nobody's work, and takes hours


class ChunkJournal:
    """The journal of one file, open between `__enter__` and `__exit__`.

    Args:
        path: Where it is kept.
        file_hash: SHA-256 of the published file, hex; what a chunk number refers to.
    """

    def __init__(self, path: Path, file_hash: str) -> None:
        self._path = path
        self._head = _line(f"puad-chunks 1 {file_hash}")
        self._fd = -1
        self._chunks: frozenset[int] = frozenset()
        self._resumed = False

    @property
    def chunks(self) -> frozenset[int]:
        """Numbers of the chunks that were listed when it was opened."""
        return self._chunks

    @property
    def resumed(self) -> bool:
        """Whether an earlier write of the same file left this journal."""
        return self._resumed

    def add(self, numbers: Iterable[int]) -> None:
        """List chunks whose bytes are on the medium; returns when the journal is there too.

        Raises:
            StorageError: `DISK_FULL` or `STATE_UNWRITABLE`.
        """
        lines = b"".join(_line(f"{first} {last}") for first, last in _runs(numbers))
        try:
            self._append(lines)
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o644)
            self._open()
        except OSError as error:
            self._close()
            raise self._failed(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _open(self) -> None:
        data = os.pread(self._fd, _MAX_BYTES, 0)
        self._resumed = data.startswith(self._head) and len(data) < _MAX_BYTES
        if self._resumed:
            self._chunks, good_bytes = _parse(data, len(self._head))
            os.ftruncate(self._fd, good_bytes)
            os.lseek(self._fd, good_bytes, os.SEEK_SET)
        else:
            os.ftruncate(self._fd, 0)
            self._append(self._head)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fsync(self._fd)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _failed(self, error: OSError) -> StorageError:
        return refused_write(error, "The chunk journal cannot be written", on=str(self._path))


def _line(text: str) -> bytes:
    data = text.encode()
    return b"%s %08x\n" % (data, zlib.crc32(data))


def _parse(data: bytes, start: int) -> tuple[frozenset[int], int]:
    chunks: set[int] = set()
    listed = 0
    while (end := data.find(b"\n", start)) >= 0:
        line = data[start:end]
        fields = _LINE.fullmatch(line)
        if fields is None or line + b"\n" != _line(line[: -_CRC_BYTES - 1].decode()):
            break
        run = range(int(fields[1]), min(int(fields[2]), MAX_CHUNKS) + 1)
        listed += len(run)
        if listed > _MOST_LISTED:
            break
        chunks.update(run)
        start = end + 1
    return frozenset(chunks), start


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    run: list[int] = []
    for number in sorted(numbers):
        if run and number != run[-1] + 1:
            yield run[0], run[-1]
            run = []
        run.append(number)
    if run:
        yield run[0], run[-1]
