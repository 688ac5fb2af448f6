# SPDX-License-Identifier: Apache-2.0
"""mountinfo, read: what is mounted where, and from which device (proc(5)). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bootloader.durable import storage_errors

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_MIN_FIELDS: Final = 6
_LOWER: Final = ("lowerdir=", "lowerdir+=")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount.

    Attributes:
        point: Where it is mounted.
        device: `major:minor` of the file system.
        type: Name of the file system.
        source: What was mounted, as the mounter called it.
        options: Options of the file system.
    """

    point: PurePosixPath
    device: str
    type: str
    source: str
    options: tuple[str, ...]

    @property
    def lower_folders(self) -> tuple[PurePosixPath, ...]:
        """The folders under an overlay, the lowest last."""
        found: list[PurePosixPath] = []
        for option in self.options:
            for key in _LOWER:
                if option.startswith(key):
                    parts = option.removeprefix(key).split(":")
                    found.extend(PurePosixPath(part) for part in parts if part)
        return tuple(found)


def read_mounts() -> list[Mount]:
    """The mounts of this process."""
    path = Path("/proc/self/mountinfo")
    with storage_errors(path):
        # any user may have mounted something under a name that is no text
        return parse_mounts(path.read_bytes().decode("utf-8", "replace"))


def parse_mounts(text: str) -> list[Mount]:
    """The mounts that a mountinfo file lists, in its order."""
    found = []
    for line in text.split("\n"):
        left, _, right = line.partition(" - ")
        place, rest = left.split(" "), right.split(" ", 2)
        if len(place) >= _MIN_FIELDS and len(rest) == 3:  # noqa: PLR2004 -- type, source, options
            options = tuple(_unescape(option) for option in rest[2].split(","))
            point = PurePosixPath(_unescape(place[4]))
            found.append(Mount(point, place[2], rest[0], _unescape(rest[1]), options))
    return found


def mount_at(mounts: Sequence[Mount], point: PurePosixPath) -> Mount | None:
    """What is mounted exactly there; the last one hides those before it."""
    return next((mount for mount in reversed(mounts) if mount.point == point), None)


def mount_of(mounts: Sequence[Mount], path: PurePosixPath) -> Mount | None:
    """The mount that a path lies on."""
    for folder in (path, *path.parents):
        found = mount_at(mounts, folder)
        if found:
            return found
    return None


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
