# SPDX-License-Identifier: Apache-2.0
"""The disk under a repository: the only place that changes what readers can see.

Rules:

1. Each method is one step: whenever the power fails, it has happened as a whole or not at all.
   Only `remove` may have removed a part of a folder.
2. A method returns when its step is on the disk (fsync of the file and of its folder).
3. Served files and folders are readable by all, whatever the umask: a static HTTP server reads
   them under another user.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator_stub.release.errors import WriteError
from orchestrator_stub.whole_file import sync_folder

_SERVED_FILE: Final = 0o644
_SERVED_FOLDER: Final = 0o755
_PIECE_BYTES: Final = 1 << 20


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses on `path` into a `WriteError`.

    Raises:
        WriteError: In place of every OSError.
    """
    try:
        yield
    except OSError as error:
        hint = "Check that the folder exists, is writable for this user, and has room."
        if isinstance(error, PermissionError):
            hint = "Run it as the user to whom the repository belongs."
        raise WriteError(
            f"the disk refused it: {error.strerror or error}",
            on=str(error.filename or path),
            hint=hint,
        ) from error


class Disk:
    """Steps that each happen as a whole, in the order in which they were asked for."""

    def write(self, path: Path, data: bytes, *, mode: int = _SERVED_FILE) -> None:
        """Give `path` the content `data`, in place of what it held."""
        with translated(path):
            self.make_folder(path.parent)
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)

    def move(self, source: Path, target: Path) -> None:
        """Rename a complete, synced file or folder on the same file system."""
        with translated(target):
            self.make_folder(target.parent)
            source.replace(target)
            sync_folder(target.parent)
            sync_folder(source.parent)

    def copy(self, source: Path, target: Path, told: Callable[[int], object]) -> str:
        """Copy a file, whatever its size; the SHA-256 of the copied bytes, hex.

        Args:
            source: The file.
            target: Its copy.
            told: Called with the size of each piece.
        """
        digest = hashlib.sha256()
        with translated(target):
            self.make_folder(target.parent)
            temporary = target.with_name(f".{target.name}.tmp")
            with source.open("rb") as reader, temporary.open("wb") as writer:
                while piece := reader.read(_PIECE_BYTES):
                    digest.update(piece)
                    writer.write(piece)
                    told(len(piece))
                os.fchmod(writer.fileno(), _SERVED_FILE)
                writer.flush()
                os.fsync(writer.fileno())
            temporary.replace(target)
            sync_folder(target.parent)
        return digest.hexdigest()

    def remove(self, path: Path) -> None:
        """Remove a file or a folder with all that it holds; nothing when it is not there."""
        with translated(path):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)

    def make_folder(self, folder: Path) -> None:
        """Make a folder that may be served, and those above it; nothing when it is there."""
        with translated(folder):
            if folder.is_dir():
                return
            self.make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            folder.chmod(_SERVED_FOLDER)
            sync_folder(folder.parent)
