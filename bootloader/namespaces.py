# SPDX-License-Identifier: Apache-2.0
"""System calls for namespaces and mounts, which Python 3.11 does not offer."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Final

NEW_MOUNTS: Final = 0x00020000
NEW_PIDS: Final = 0x20000000
READ_ONLY: Final = 0x1
NO_SUID: Final = 0x2
BIND: Final = 0x1000
PRIVATE: Final = 0x4000 | (1 << 18)  # MS_REC | MS_PRIVATE

_DETACH: Final = 2
_SET_DEATH_SIGNAL: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that comes."""
    _call("prctl", _SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def unshare(what: int) -> None:
    """Leave the parent's namespaces of these kinds."""
    _call("unshare", what)


def mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount a file system as the system call of that name does."""
    _call("mount", source.encode(), bytes(target), kind.encode(), flags, data.encode())


def pivot_to(root: Path) -> None:
    """Make a mount the root of this mount namespace, and let the old root go."""
    os.chdir(root)
    _call("pivot_root", b".", b".")  # the old root now lies over the new one
    _call("umount2", b".", _DETACH)
    os.chdir("/")


def _call(name: str, *arguments: int | bytes) -> None:
    passed = [ctypes.c_ulong(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    if getattr(_libc, name)(*passed) != 0:
        number = ctypes.get_errno()
        shown = b" ".join(a for a in arguments if isinstance(a, bytes)).decode(errors="replace")
        raise OSError(number, f"{name} {shown}: {os.strerror(number)}")
