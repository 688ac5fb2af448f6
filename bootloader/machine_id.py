# SPDX-License-Identifier: Apache-2.0
"""The machine's id, 32 hex digits in a file of one line (machine-id(5))."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName

MACHINE_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAX_BYTES: Final = 64


def read_machine_id(path: Path) -> str:
    """The machine's id.

    Raises:
        BootloaderError: `StorageFailed`, when it has none or the file cannot be read.
    """
    with storage_errors(path), path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode("ascii", "replace").strip()
    if not MACHINE_ID.fullmatch(text):
        what = "the machine has no id yet, so the next boot could not be told to keep it"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(path))
    return text
