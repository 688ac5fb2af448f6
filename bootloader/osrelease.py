# SPDX-License-Identifier: Apache-2.0
"""os-release of the booted root: which OS profile and which image this node runs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader.durable import storage_errors

_MAX_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class OsRelease:
    """IMAGE_ID and IMAGE_VERSION; empty when the file does not say."""

    profile: str = ""
    image_id: str = ""


def read_os_release(path: Path) -> OsRelease:
    """Read an os-release file (os-release(5)).

    Raises:
        BootloaderError: `StorageFailed`, when it cannot be read.
    """
    with storage_errors(path), path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode("utf-8", "replace")
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, raw = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = _unquote(raw)
    return OsRelease(values.get("IMAGE_ID", ""), values.get("IMAGE_VERSION", ""))


def _unquote(raw: str) -> str:
    try:
        return "".join(shlex.split(raw))
    except ValueError:  # an unfinished quote: the value says nothing that we could rely on
        return ""
