# SPDX-License-Identifier: Apache-2.0
"""The kernel command line of this boot: where a boot loader without a memory leaves its word."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors

SLOT_KEY: Final = "puad.slot"
_MAX_BYTES: Final = 64 << 10


def slot_word(path: Path) -> str | None:
    """The value of the last `puad.slot=`; None when there is none.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(path), path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode("utf-8", "replace")
    pairs = (word.partition("=") for word in text.split())
    return next((value for key, _, value in reversed(list(pairs)) if key == SLOT_KEY), None)
