# SPDX-License-Identifier: Apache-2.0
"""The publisher's lock: one process at a time changes a repository.

The kernel holds it (flock) and lets go when the process ends, however it ends, so that a crash
never leaves a repository locked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.errors import BusyError


@contextmanager
def publisher_lock(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`.

    Raises:
        BusyError: When another process holds it.
        WriteError: When the lock file cannot be opened.
    """
    with translated(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                "another publisher is at work on this repository",
                on=str(path),
                hint="Wait until it has finished, then run the command again.",
            ) from error
        yield
    finally:
        os.close(descriptor)
