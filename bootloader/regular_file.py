# SPDX-License-Identifier: Apache-2.0
"""Reading a file that others may have put there: only a regular one, and up to a bound.

A link could lead anywhere, a pipe would keep the service waiting for ever, and a device or an
endless file would fill its memory.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


def read_regular(path: Path, most: int) -> bytes | None:
    """The whole file; None when there is none.

    Args:
        path: The file.
        most: The bytes that it may have.

    Raises:
        BootloaderError: `StorageFailed`, also for what is no regular file or is longer.
    """
    with storage_errors(path):
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            return None
        try:
            is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
            data = _read(fd, most + 1) if is_regular else b""
        finally:
            os.close(fd)
    if not is_regular or len(data) > most:
        what = f"the file has more than {most} bytes" if is_regular else "this is no regular file"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(path))
    return data


def _read(fd: int, most: int) -> bytes:
    found = bytearray()
    while len(found) < most and (more := os.read(fd, most - len(found))):
        found += more
    return bytes(found)
