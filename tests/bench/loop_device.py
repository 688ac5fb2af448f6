# SPDX-License-Identifier: Apache-2.0
"""A loop device with direct I/O: a block device whose bytes really reach the disk below.

Its file is written full once, so that no contender pays for the allocation of its blocks; and it is
spoiled before each turn, so that nobody finds there what it shall write.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 4 << 20
_SPOILT: Final = b"\xee"


@contextlib.contextmanager
def loop_device(file: Path, size_bytes: int) -> Iterator[Path]:
    """A device of that size for the length of the block, over a new file."""
    with file.open("wb") as backing:
        backing.truncate(size_bytes)
    argv = ["losetup", "--direct-io=on", "--find", "--show", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    device = Path(done.stdout.strip())
    try:
        spoil(device)
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
        file.unlink()


def spoil(device: Path) -> None:
    """Fill a device with bytes that no image has, and forget what is cached of it."""
    block = memoryview(mmap.mmap(-1, _BLOCK_BYTES))
    block[:] = _SPOILT * _BLOCK_BYTES
    fd = os.open(device, os.O_WRONLY | os.O_DIRECT)
    try:
        size, offset = os.lseek(fd, 0, os.SEEK_END), 0
        while offset < size:
            offset += os.pwrite(fd, block[: min(_BLOCK_BYTES, size - offset)], offset)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def spoil_file(path: Path, size_bytes: int) -> None:
    """The same for a file that stands in for a device; it is made anew, and wholly allocated."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size_bytes)
    spoil(path)


def sync(path: Path) -> None:
    """Return when everything written to a device or file is on the medium."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_image(device: Path, image: Path) -> bool:
    """Whether a device begins with the bytes of an image, read past the page cache."""
    argv = ["cmp", "--quiet", f"--bytes={image.stat().st_size}", str(device), str(image)]
    fd = os.open(device, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    return subprocess.run(argv, check=False).returncode == 0
