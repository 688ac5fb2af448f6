# SPDX-License-Identifier: Apache-2.0
"""Making a range of a slot zero without sending zeros to it.

Only what promises zeros to whoever reads next: BLKZEROOUT on a block device, which the kernel
carries out with real writes where the device has nothing better, and a hole in a file. Never a
discard: what a discarded range reads as is the device's affair. Both take the range out of the page
cache, so that what was read before does not come back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from typing import Final

_BLKZEROOUT: Final = 0x127F
_FS_IOC_UNRESVSP64: Final = 0x4030582B  # fallocate(PUNCH_HOLE | KEEP_SIZE) for those without libc's
_FROM_THE_START: Final = 0
_CANNOT: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EACCES}
)


def zero_range(fd: int, offset: int, length: int) -> bool:
    """Make a range zero, durably after the next fsync.

    Args:
        fd: A block device or a file, open for writing.
        offset: Where the range begins, in bytes.
        length: How long it is, in bytes.

    Returns:
        False when that cannot be done here; the range is as it was, or partly zero.

    Raises:
        OSError: When the medium fails.
    """
    status = os.fstat(fd)
    try:
        if stat.S_ISBLK(status.st_mode):
            fcntl.ioctl(fd, _BLKZEROOUT, struct.pack("=QQ", offset, length))
            return True
        # behind its end a file has no bytes to be made zero, and a hole there does not add any
        if stat.S_ISREG(status.st_mode) and offset + length <= status.st_size:
            fcntl.ioctl(fd, _FS_IOC_UNRESVSP64, _space(offset, length))
            return True
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    return False


def _space(offset: int, length: int) -> bytes:
    """The kernel's `struct space_resv`."""
    return struct.pack("@hhqqiI4i", 0, _FROM_THE_START, offset, length, 0, 0, 0, 0, 0, 0)
