# SPDX-License-Identifier: Apache-2.0
"""The claim: holding a slot so that nobody else can have it open, not even by a mapping.

A block device is claimed by O_EXCL; the kernel gives that claim to one open file at a time and
keeps it while any descriptor or mapping of that file lives. A file is claimed by a write lease
(F_SETLEASE), which the kernel grants only while no other open file of it exists. A claim for
reading is then lowered to a read lease: readers may come, and nobody can write. An open for writing
breaks a lease, which it does not do to O_EXCL: so a claim is asked whether it still holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName

LEASE_BROKEN: Final = signal.SIGURG  # ignored by default, unlike SIGIO which would end us
WAIT_S: Final = 2.0  # a descriptor that its owner has just closed may still be on its way out
_PAUSE_S: Final = 0.02
_HELD: Final = frozenset({errno.EBUSY, errno.EAGAIN})


@dataclass(frozen=True, slots=True)
class Claim:
    """An open slot that is ours alone.

    Attributes:
        fd: The open descriptor.
        leased: Whether the claim is a lease, which another open can break.
    """

    fd: int
    leased: bool

    def is_held(self) -> bool:
        """Whether it is still ours alone."""
        try:
            return not self.leased or fcntl.fcntl(self.fd, fcntl.F_GETLEASE) != fcntl.F_UNLCK
        except OSError:  # released by another thread while we ask
            return False

    def release(self) -> None:
        """Give the slot up."""
        os.close(self.fd)

    def hand_out(self) -> int:
        """The descriptor for somebody else, who holds the slot from now on."""
        if self.leased:
            fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return self.fd


def claim_device(path: Path, *, writable: bool) -> Claim:
    """Claim a block device.

    Raises:
        BootloaderError: `Busy`, when somebody holds it; `StorageFailed`.
    """
    return Claim(_patiently(path, writable, os.O_EXCL), leased=False)


def claim_file(path: Path, *, writable: bool) -> Claim:
    """Claim a file.

    Raises:
        BootloaderError: `Busy`, when somebody has it open; `StorageFailed`.
    """
    return Claim(_patiently(path, writable, 0), leased=True)


def _patiently(path: Path, writable: bool, exclusive: int) -> int:  # noqa: FBT001 -- private
    deadline = time.monotonic() + WAIT_S
    with storage_errors(path):
        while True:
            try:
                return _open(path, writable, exclusive)
            except OSError as error:
                if error.errno not in _HELD:
                    raise
                if time.monotonic() > deadline:
                    what = "somebody still holds a descriptor, a mapping or a mount of the slot"
                    raise BootloaderError(ErrorName.BUSY, what, on=str(path)) from error
            time.sleep(_PAUSE_S)


def _open(path: Path, writable: bool, exclusive: int) -> int:  # noqa: FBT001 -- private
    mode = os.O_RDWR if writable else os.O_RDONLY
    # O_NONBLOCK: never wait for the holder of a lease to give it up
    fd = os.open(path, mode | exclusive | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not exclusive:
            fcntl.fcntl(fd, fcntl.F_SETSIG, LEASE_BROKEN)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            # the kernel would tell the thread that took the lease, and threads end
            fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
            if not writable:
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    except OSError:
        os.close(fd)
        raise
    return fd
