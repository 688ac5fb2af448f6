# SPDX-License-Identifier: Apache-2.0
"""The entry files of our slots in systemd-boot's folder of entries, and what is read of them.

The ESP is FAT, which knows no owners, and a folder of a great many entries must not cost the
service its memory: so the number of entries and what is read of each are bounded. A slot has one
entry, and two or three after a power cut; who finds far more than that can tell nothing from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader.boot_entry import EntryName, EntryText, parse_name, parse_text
from bootloader.boot_partition import read_begin
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName

MAX_TEXT_BYTES: Final = 8 << 10
MAX_ENTRIES: Final = 64


@dataclass(frozen=True, slots=True)
class EntryFile:
    """An entry file of one of our slots."""

    path: Path
    name: EntryName
    raw: bytes
    text: EntryText


class EntryFiles:
    """The folder of entries.

    Args:
        folder: The folder.
        slots: Our slots.
    """

    def __init__(self, folder: Path, slots: tuple[str, ...]) -> None:
        self._folder = folder
        self._slots = slots

    def paths(self) -> list[Path]:
        """Every file, whosever it is.

        Raises:
            BootloaderError: `StorageFailed`.
        """
        with storage_errors(self._folder):
            return sorted(self._folder.iterdir())

    def listed(self, *, strictly: bool = False) -> list[EntryFile]:
        """The entries of our slots.

        Args:
            strictly: Whether one that cannot be read is an error; else it names nothing to boot.

        Raises:
            BootloaderError: `StorageFailed`, also when there are too many of them.
        """
        named = [(path, name) for path in self.paths() if (name := parse_name(path.name))]
        ours = [(path, name) for path, name in named if name.slot in self._slots]
        if len(ours) > MAX_ENTRIES:
            what = f"there are {len(ours)} entries of the slots: remove those that are not puad's"
            raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(self._folder))
        found = []
        for path, name in ours:
            raw = read_begin(path, MAX_TEXT_BYTES, strictly=strictly)
            found.append(EntryFile(path, name, raw, parse_text(raw)))
        return found


def best_of(entries: list[EntryFile]) -> EntryFile | None:
    """The entry that speaks for its slot; None when none of them names anything to boot."""
    whole = [entry for entry in entries if entry.text.loader]
    return max(
        whole,
        key=lambda entry: (entry.name.is_good, entry.name.tries_left or 0, entry.name.readable),
        default=None,
    )
