# SPDX-License-Identifier: Apache-2.0
"""The os-release file of the booted root: which OS profile and which image have booted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from puad.bounded_file import read_bounded
from puad.core.errors import Code, ConfigError
from puad.core.os_release import parse_os_release

_MAX_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class OsRelease:
    """What the booted root calls itself: IMAGE_ID and IMAGE_VERSION."""

    profile: str
    image_id: str


def read_os_release(path: Path) -> OsRelease:
    """Read it; `/etc/os-release`, the usual other place, is a link, so links are followed.

    Raises:
        ConfigError: `CONFIG_INVALID`, when the file cannot be read or names no image.
    """
    try:
        text = read_bounded(path, _MAX_BYTES, follow_links=True).decode(errors="replace")
    except OSError as error:
        what = f"os-release cannot be read: {error.strerror}"
        raise ConfigError(Code.CONFIG_INVALID, what, on=str(path)) from error
    values = parse_os_release(text)
    profile, image_id = values.get("IMAGE_ID", ""), values.get("IMAGE_VERSION", "")
    if not profile or not image_id:
        what = "os-release does not name this image: IMAGE_ID and IMAGE_VERSION are needed"
        raise ConfigError(Code.CONFIG_INVALID, what, on=str(path))
    return OsRelease(profile, image_id)
