# SPDX-License-Identifier: Apache-2.0
"""The file that a node's token is handed over in: only its owner may read it, whole or not at all.

It is opened before the host is enrolled, so that a folder that cannot be written is told while
nothing has changed, and takes its name when the token is on the disk.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.whole_file import sync_folder

_ONLY_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o600
_NO_FILE: Final = "Nothing was changed; name a file in a folder that this user may write to."
_NOT_WRITTEN: Final = (
    "It is lost: make another one, with `enrol --renew`, or with `token revoke` and `token add`."
)


@contextmanager
def open_token_file(path: Path) -> Iterator[Callable[[str], None]]:
    """Gives what writes the token to the file, in place of what the file held.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`, when the file cannot be written.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with _told(path, _NO_FILE):
        descriptor = os.open(new, _ONLY_NEW, _MODE)

    def write(token: str) -> None:
        with _told(path, _NOT_WRITTEN):
            os.write(descriptor, f"{token}\n".encode())
            os.fsync(descriptor)
            new.replace(path)
            sync_folder(path.parent)

    try:
        yield write
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            new.unlink()


@contextmanager
def _told(path: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"the token cannot be written to {path}: {error.strerror}"
        raise OrchestratorError(Code.PERMISSION_DENIED, what, hint=hint) from error
