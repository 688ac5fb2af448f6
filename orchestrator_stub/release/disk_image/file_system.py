# SPDX-License-Identifier: Apache-2.0
"""Which file system a root image holds, by the mark in its superblock."""

from __future__ import annotations

from typing import Final

from orchestrator_stub.release.disk_image.reading import Read

# Name, where the mark lies, the mark.
_MARKS: Final = (
    ("erofs", 1024, b"\xe2\xe1\xf5\xe0"),
    ("ext4", 1024 + 56, b"\x53\xef"),
    ("squashfs", 0, b"hsqs"),
    ("btrfs", (64 << 10) + 64, b"_BHRfS_M"),
    ("xfs", 0, b"XFSB"),
)


def find_file_system(read: Read) -> str | None:
    """The name of the file system; None when it is none that a root image usually has."""
    return next((name for name, at, mark in _MARKS if read(at, len(mark)) == mark), None)
