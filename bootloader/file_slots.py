# SPDX-License-Identifier: Apache-2.0
"""Slots that are files, for the demo and the tests.

The booted slot is the file behind the loop device under the root mount, told by the device and
inode number that the loop driver holds, not by a name. The partition id that a real slot has stands
in a file beside it, `<slot>.root-id`.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from bootloader.access import SlotAccess
from bootloader.claim import Claim, claim_file
from bootloader.config import FileSettings
from bootloader.durable import Files, storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.mounts import Mount, mount_at, read_mounts
from bootloader.zeroing import zero_tail

_LOOP_GET_STATUS64: Final = 0x4C05
_LOOP_INFO64_BYTES: Final = 232
_WRITABLE_BY_OTHERS: Final = 0o022


class FileSlots(SlotAccess):
    """Files as slots."""

    def __init__(self, settings: FileSettings, files: Files) -> None:
        self._paths: Mapping[str, Path] = {"a": settings.a, "b": settings.b}
        self._files = files
        self._host_uuid_file = settings.host_uuid_file
        for path in self._paths.values():
            with storage_errors(path):
                mode = path.stat().st_mode
            if mode & _WRITABLE_BY_OTHERS:
                # who holds a descriptor could open the file anew through /proc and pass the claim
                what = "others than root may write this slot"
                raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(path))
        self._booted = self._find_booted(settings.root)

    @property
    def names(self) -> tuple[str, ...]:
        """See `SlotAccess`."""
        return tuple(self._paths)

    @property
    def booted(self) -> str:
        """See `SlotAccess`."""
        return self._booted

    def size(self, slot: str) -> int:
        """See `SlotAccess`."""
        with storage_errors(self._paths[slot]):
            return self._paths[slot].stat().st_size

    def open_active(self) -> int:
        """See `SlotAccess`."""
        with storage_errors(self._paths[self.booted]):
            return os.open(self._paths[self.booted], os.O_RDONLY | os.O_CLOEXEC)

    def claim_for_writing(self, slot: str) -> Claim:
        """See `SlotAccess`."""
        return claim_file(self._paths[slot], writable=True)

    def claim_for_seal(self, slot: str, used: int) -> Claim:
        """See `SlotAccess`."""
        writing = self.claim_for_writing(slot)
        try:
            zero_tail(writing.fd, used, self.size(slot), self._paths[slot])
        finally:
            writing.release()
        return claim_file(self._paths[slot], writable=False)

    def root_id(self, slot: str) -> str:
        """See `SlotAccess`."""
        path = self._root_id_path(slot)
        with storage_errors(path):
            return path.read_text("ascii").strip() if path.exists() else ""

    def partition_id(self, name: str) -> str:
        """See `SlotAccess`; a file lies on no disk of its own."""
        what = f"slots that are files have no partition {name} beside them"
        raise BootloaderError(ErrorName.DISAGREEMENT, what)

    def set_root_id(self, slot: str, partuuid: str) -> None:
        """See `SlotAccess`."""
        for other in self.names:
            if other != slot and self.root_id(other) == partuuid:
                what = f"slot {other} has the id {partuuid}"
                raise BootloaderError(ErrorName.ROOT_ID_TAKEN, what, on=slot)
        self._files.replace(self._root_id_path(slot), f"{partuuid}\n".encode())

    def host_uuid(self) -> str:
        """See `SlotAccess`."""
        try:
            return self._host_uuid_file.read_text("ascii").strip().lower()
        except FileNotFoundError:
            return ""

    def _root_id_path(self, slot: str) -> Path:
        path = self._paths[slot]
        return path.with_name(f"{path.name}.root-id")

    def _find_booted(self, root: Path) -> str:
        mount = mount_at(read_mounts(), PurePosixPath(root))
        backing = _backing_file(mount) if mount else None
        for slot, path in self._paths.items():
            with storage_errors(path):
                status = path.stat()
            if backing == (status.st_dev, status.st_ino):
                return slot
        what = "the root mount does not come from the file of a slot"
        raise BootloaderError(ErrorName.DISAGREEMENT, what, on=str(root))


def _backing_file(mount: Mount) -> tuple[int, int] | None:
    """Device and inode number of the file behind a mounted loop device; None for no loop device."""
    if not mount.source.startswith("/dev/loop"):
        return None
    with storage_errors(mount.source):
        fd = os.open(mount.source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            number = os.fstat(fd).st_rdev
            if mount.device != f"{os.major(number)}:{os.minor(number)}":
                return None  # the node was made anew since: it is another device
            info = fcntl.ioctl(fd, _LOOP_GET_STATUS64, bytes(_LOOP_INFO64_BYTES))
        finally:
            os.close(fd)
    encoded, inode = struct.unpack_from("=QQ", info)
    # the kernel's huge_encode_dev: minor bits 0-7, major from bit 8, other minor bits from bit 20
    major, minor = (encoded >> 8) & 0xFFF, (encoded & 0xFF) | ((encoded >> 12) & 0xFFFFFF00)
    return os.makedev(major, minor), inode
