# SPDX-License-Identifier: Apache-2.0
"""Bounded reads: a regular file, read whole, if it is not larger than its reader allows.

Whatever lies at the place of a configuration file or a stored document may have been put there by
somebody else: a link to a secret, a named pipe that never ends, a file that fills the memory. Each
is an OSError here, whose `strerror` is a sentence for people.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_bounded(path: Path, most_bytes: int, *, follow_links: bool = False) -> bytes:
    """The bytes of a regular file.

    Args:
        path: The file.
        most_bytes: Its greatest size.
        follow_links: Whether it may be a link; for files of the read-only image alone.

    Raises:
        OSError: When it cannot be read, is a link or no regular file, or is too large.
    """
    # O_NONBLOCK: opening a named pipe must not wait for its writer
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags if follow_links else flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            raise OSError(errno.ELOOP, "it is a symbolic link", str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return _read_all(fd, path, most_bytes)
    finally:
        os.close(fd)


def _read_all(fd: int, path: Path, most_bytes: int) -> bytes:
    data = bytearray()
    while piece := os.read(fd, most_bytes + 1 - len(data)):
        data += piece
        if len(data) > most_bytes:
            raise OSError(errno.EFBIG, f"it is larger than {most_bytes} bytes", str(path))
    return bytes(data)
