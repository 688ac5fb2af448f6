# SPDX-License-Identifier: Apache-2.0
"""The kernel command line: how long it may be, and the word that a boot loader leaves in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors

STANDARD_PATH: Final = Path("/proc/cmdline")
MAX_LENGTH: Final = 2047  # what the kernel takes on x86, without the NUL
SLOT_KEY: Final = "puad.slot"
_MAX_BYTES: Final = 64 << 10


def read(path: Path) -> str:
    """The kernel command line of this boot.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(path), path.open("rb") as file:
        return file.read(_MAX_BYTES).decode("utf-8", "replace")


def slot_word(path: Path) -> str | None:
    """The value of the last `puad.slot=`; None when there is none.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    pairs = (word.partition("=") for word in read(path).split())
    return next((value for key, _, value in reversed(list(pairs)) if key == SLOT_KEY), None)
