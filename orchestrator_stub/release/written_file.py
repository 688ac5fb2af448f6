# SPDX-License-Identifier: Apache-2.0
"""A file of a release that is being made: hashed while it is written, piece by piece."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.release import ReleaseFile


class WrittenFile:
    """A file that takes bytes and knows what was written.

    Attributes:
        size: How many bytes that is.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self.size = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append some bytes."""
        with translated(Path(self._path)):
            self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def release_file(self) -> ReleaseFile:
        """What was written, as a target file."""
        return ReleaseFile(self._path, self.size, self._hash.hexdigest())


@contextmanager
def new_file(folder: Path, path: str) -> Iterator[WrittenFile]:
    """A new file of a release; on the disk, and readable by the web server, when it is closed.

    Args:
        folder: Where the release is being made.
        path: The target path of the file.

    Raises:
        WriteError: When the disk refuses it.
    """
    target = folder / path.rpartition("/")[2]
    with translated(target):
        file = target.open("xb")
    with file:
        yield WrittenFile(file, path)
        with translated(target):
            finish_file(file)


def finish_file(file: BinaryIO) -> None:
    """Put a file of the release on the disk, readable by the web server once it is published."""
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())
