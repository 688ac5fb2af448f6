# SPDX-License-Identifier: Apache-2.0
"""Slots as they lie on the node's disk: bytes, os-release inside, and the firmware's entries.

Everything here reads the disk itself, with code of its own and none of the node's, so that it can
contradict what the node says.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

SLOTS = ("a", "b")
_BLOCK_BYTES = 4096
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FirmwareEntry:
    """The firmware's entry of one slot: tries left (None: not counted any more)."""

    slot: str
    generation: int
    tries_left: int | None


class Disk:
    """The node's disk, seen from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def slot_file(self, slot: str) -> Path:
        """The slot's file."""
        return self.folder / f"{slot}.img"

    def entry(self, slot: str) -> FirmwareEntry | None:
        """The firmware's entry of a slot; None when there is none."""
        data = (self.folder / "firmware").read_bytes()
        begin = _BLOCK_BYTES * (1 + SLOTS.index(slot))
        block = data[begin : begin + _BLOCK_BYTES].rstrip(b"\0")
        checksum, _, text = block.partition(b" ")
        text = text.removesuffix(b"\n")
        if not block or int(checksum, 16) != zlib.crc32(text):
            return None
        document = json.loads(text)
        return FirmwareEntry(slot, document["generation"], document["tries_left"])

    def bootable(self, slot: str) -> bool:
        """Whether the firmware would boot anything there: an entry, or boot files left behind."""
        folder = self.folder / "firmware.d" / slot
        return self.entry(slot) is not None or (folder.is_dir() and any(folder.iterdir()))

    def image_hash(self, slot: str, length: int) -> str:
        """SHA-256 of the slot's first bytes."""
        return _hash(self.slot_file(slot), 0, length)

    def chunk_hash(self, slot: str, offset: int, length: int) -> str:
        """SHA-256 of some of the slot's bytes."""
        return _hash(self.slot_file(slot), offset, length)

    def os_release(self, slot: str) -> dict[str, str]:
        """os-release of the file system in the slot, mounted read-only; empty without one."""
        with tempfile.TemporaryDirectory(prefix="puad-demo-") as folder:
            mount = ["mount", "-t", "erofs", "-o", "ro,loop", str(self.slot_file(slot)), folder]
            if subprocess.run(mount, capture_output=True, timeout=60, check=False).returncode:
                return {}
            try:
                text = Path(folder, "usr/lib/os-release").read_text(encoding="utf-8")
            finally:
                subprocess.run(["umount", "--detach-loop", folder], timeout=60, check=True)
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
        return {name: value.strip('"') for name, _, value in pairs}


def _hash(file: Path, offset: int, length: int) -> str:
    seen = hashlib.sha256()
    with file.open("rb") as stream:
        stream.seek(offset)
        while length > 0 and (piece := stream.read(min(length, _PIECE_BYTES))):
            seen.update(piece)
            length -= len(piece)
    return seen.hexdigest()
