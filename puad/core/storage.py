# SPDX-License-Identifier: Apache-2.0
"""Storage: what it means that the operating system refuses to keep something."""

from __future__ import annotations

import errno
from typing import Final

from puad.core.errors import Code, StorageError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def refused_write(error: OSError, what: str, on: str = "") -> StorageError:
    """The error for a write that was refused: somebody can make room, or the disk is no good.

    Args:
        error: The refusal.
        what: What cannot be written, as a clause; why is added.
        on: The file.
    """
    code = Code.DISK_FULL if error.errno in _FULL else Code.STATE_UNWRITABLE
    return StorageError(code, f"{what}: {error.strerror}", on=on)
