# SPDX-License-Identifier: Apache-2.0
"""Zeroing the end of a slot: what lies behind a signed image was signed by nobody.

A hole is punched where device or file system can do that: it takes no time, and a sparse file
stays sparse. Where they cannot, the bytes are read and only what is not zero is overwritten, which
takes no longer than reading the slot, and after the first time nothing is written. It costs what
hashing an image of that size costs.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors

_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02
_BLOCK_BYTES: Final = 4096  # a multiple of every logical block size; devices punch whole blocks
_BUFFER_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(_BUFFER_BYTES)
_libc: Final = ctypes.CDLL(None, use_errno=True)


def zero_tail(fd: int, begin: int, end: int, path: Path) -> None:
    """Make every byte from `begin` to `end` zero, durably.

    Args:
        fd: A slot that is open for reading and writing.
        begin: Where the image ends.
        end: Where the slot ends.
        path: What it is called in errors.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    border = min(-(-begin // _BLOCK_BYTES) * _BLOCK_BYTES, end)
    with storage_errors(path):
        _overwrite(fd, begin, border)
        if not _punch(fd, border, end):
            _overwrite(fd, border, end)
        os.fsync(fd)


def _punch(fd: int, begin: int, end: int) -> bool:
    """Whether a hole could be punched; overwriting tells what was wrong, if anything was."""
    if begin == end:
        return True
    places = (ctypes.c_int64(begin), ctypes.c_int64(end - begin))
    return bool(_libc.fallocate64(fd, _KEEP_SIZE | _PUNCH_HOLE, *places) == 0)


def _overwrite(fd: int, begin: int, end: int) -> None:
    while begin < end:
        data = os.pread(fd, min(_BUFFER_BYTES, end - begin), begin)
        if not data:  # a file that has become shorter
            return
        if data == _ZEROS[: len(data)]:
            begin += len(data)
        else:
            begin += os.pwrite(fd, _ZEROS[: len(data)], begin)
