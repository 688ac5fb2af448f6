# SPDX-License-Identifier: Apache-2.0
"""The EFI variables that systemd-boot shares with the running system (Boot Loader Interface).

They tell more than the disk does, but nothing may depend on them: a firmware can lose them, and a
power cut of ours never has them in the same state as the disk. What cannot be read is not there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors

STANDARD_FOLDER: Final = Path("/sys/firmware/efi/efivars")
DEFAULT: Final = "LoaderEntryDefault"
ONE_SHOT: Final = "LoaderEntryOneShot"
SELECTED: Final = "LoaderEntrySelected"
BOOT_COUNT_PATH: Final = "LoaderBootCountPath"
_GUID: Final = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_ATTRIBUTES_BYTES: Final = 4
_MAX_BYTES: Final = 4096
_GET_FLAGS: Final = 0x80086601  # FS_IOC_GETFLAGS
_SET_FLAGS: Final = 0x40086602  # FS_IOC_SETFLAGS
_IMMUTABLE: Final = 0x10


class LoaderVariables:
    """The variables, as files of efivarfs.

    Args:
        folder: Where efivarfs is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str:
        """The text of a variable; empty when there is none."""
        try:
            with self._path(name).open("rb") as file:
                data = file.read(_MAX_BYTES)[_ATTRIBUTES_BYTES:]
        except OSError:
            return ""
        return data.decode("utf-16-le", "replace").partition("\0")[0]

    def clear(self, name: str) -> None:
        """Remove a variable; nothing happens when there is none.

        Raises:
            BootloaderError: `StorageFailed`.
        """
        path = self._path(name)
        with storage_errors(path):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                _make_mutable(fd)
            finally:
                os.close(fd)
            path.unlink()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}-{_GUID}"


def _make_mutable(fd: int) -> None:
    """Take away the flag by which the kernel keeps variables from being removed by accident."""
    flags = int.from_bytes(fcntl.ioctl(fd, _GET_FLAGS, bytes(8))[:4], "little")
    if flags & _IMMUTABLE:
        fcntl.ioctl(fd, _SET_FLAGS, (flags & ~_IMMUTABLE).to_bytes(8, "little"))
