# SPDX-License-Identifier: Apache-2.0
"""Files named on the command line: opened once, and refused when they are no files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator_stub.release.errors import InputError


@contextmanager
def opened(path: Path, *, device_serves: bool = False) -> Iterator[int]:
    """An open descriptor of a file, for reading.

    Args:
        path: The file.
        device_serves: Whether a block device will do.

    Raises:
        InputError: When it cannot be opened, or is neither.
    """
    try:
        # A pipe without a writer must not block, a terminal must not become ours.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or (device_serves and stat.S_ISBLK(mode))):
            raise InputError(f"this is {_kind(mode)}, not a file", on=str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a device" if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) else "a pipe or a socket"


def unreadable(path: Path, error: OSError) -> InputError:
    """What the operating system refused, as the publisher's error."""
    return InputError(f"the file cannot be read: {error.strerror}", on=str(path))
