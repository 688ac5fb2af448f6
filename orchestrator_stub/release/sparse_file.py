# SPDX-License-Identifier: Apache-2.0
"""A sparse file: what a packed image unpacks to, beside the release under way.

Rules:

1. It has no name: it is gone when it is closed, also when the process is killed.
2. Its empty parts take no room.
3. It never fills a disk, which others write to as well: a small file may unpack to a large one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.errors import WriteError

PIECE_BYTES: Final = 1 << 20
_EMPTY: Final = bytes(PIECE_BYTES)
_LOOK_BYTES: Final = 16 << 20
_KEPT_FREE: Final = 1 / 50


@dataclass(slots=True)
class SparseFile:
    """A file without a name that grows by one piece after another.

    Attributes:
        descriptor: The open file.
        folder: Where it takes its room.
        size: How many bytes it has.
    """

    descriptor: int
    folder: Path
    size: int = 0
    _written: int = 0
    _looked_at: int = 0

    def append(self, piece: bytes) -> None:
        """Add bytes at the end, at most `PIECE_BYTES`.

        Raises:
            WriteError: When they cannot be written, or hardly any room is left.
        """
        with translated(self.folder):
            if piece == _EMPTY[: len(piece)]:
                os.ftruncate(self.descriptor, self.size + len(piece))
            else:
                self._write(piece)
        self.size += len(piece)

    def _write(self, piece: bytes) -> None:
        view, place = memoryview(piece), self.size
        while view:
            written = os.pwrite(self.descriptor, view, place)
            view, place = view[written:], place + written
        self._written += len(piece)
        if self._written - self._looked_at >= _LOOK_BYTES:
            self._looked_at = self._written
            self._require_room()

    def _require_room(self) -> None:
        disk = os.fstatvfs(self.descriptor)
        if disk.f_bavail < disk.f_blocks * _KEPT_FREE:
            raise WriteError(
                "the image unpacks to more than there is room for",
                on=str(self.folder),
                hint="Unpack it on another disk first, and see whether it is what you expect.",
            )


@contextmanager
def sparse_file(folder: Path) -> Iterator[SparseFile]:
    """An empty sparse file, which takes its room in `folder`.

    Raises:
        WriteError: When none can be made there.
    """
    with translated(folder):
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
    with file:
        yield SparseFile(file.fileno(), folder)
