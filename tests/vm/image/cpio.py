# SPDX-License-Identifier: Apache-2.0
"""cpio: the archive format of initial RAM disks ("newc"), just enough to add files to one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

_FOLDER = 0o040755
_FILE = 0o100755


def archive(files: Mapping[str, str]) -> bytes:
    """An archive of these files, with the folders that lead to them."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents}
    entries = [(name, _FOLDER, b"") for name in sorted(folders - {"."})]
    entries += [(name, _FILE, text.encode()) for name, text in sorted(files.items())]
    numbered = enumerate(entries, start=1)
    data = b"".join(_entry(number, *entry) for number, entry in numbered)
    return data + _entry(0, "TRAILER!!!", 0, b"")


def _entry(number: int, name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(head + encoded) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
