# SPDX-License-Identifier: Apache-2.0
"""Write protection of a block device, by the kernel's own mark on it (BLKROSET)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors

_SET: Final = 0x125D  # BLKROSET
_GET: Final = 0x125E  # BLKROGET
_INT_BYTES: Final = 4


def set_write_protection(node: Path, *, protect: bool) -> None:
    """Mark a device read-only, or take the mark away.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    _ioctl(node, _SET, int(protect))


def is_write_protected(node: Path) -> bool:
    """Whether the kernel refuses to write a device.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    return _ioctl(node, _GET, 0) != 0


def _ioctl(node: Path, request: int, value: int) -> int:
    with storage_errors(node):
        fd = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(fd, request, value.to_bytes(_INT_BYTES, "little"))
        finally:
            os.close(fd)
    return int.from_bytes(answer, "little")
