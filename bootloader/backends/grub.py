# SPDX-License-Identifier: Apache-2.0
"""GRUB: entries and counters that `bootloader/grub/grub.cfg` reads at power-on.

On the boot partition (`boot` in the section `[grub]`):

- `puad/<slot>.env`, the entry: without it the slot cannot boot. It says which boot files are
  needed, the kernel command line, the order, and whether the slot is good.
- `puad/<slot>/`, the boot files.
- `grub/grubenv`, the counters of slots that are not good. It is the only file that GRUB writes.

Rules:

1. Arm writes the counters, then the entry; Disarm deletes the entry, then the boot files. So the
   entry's file is the one thing that decides, and no torn counter can make a slot bootable.
2. A good slot depends on its entry only, never on grubenv.
3. grubenv is written in place, a slot's two counters in one write within the first 512 bytes, and
   each counter is one character: a torn write leaves the old or the new one.
4. What grub.cfg does with a grubenv that cannot be read: a good slot is booted, the one armed last
   first; without a good one, any whose entry and boot files are there, not counted.
5. What cannot be read is an unknown slot, never an exception; what cannot be written is.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bootloader import grub_entry, grubenv
from bootloader.backend import Backend, Entry, Setup
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.grub_entry import GrubEntry
from bootloader.kernel_command_line import slot_word
from bootloader.slot import Assessment, BootStatus

PIN: Final = "saved_entry"  # what grub-set-default writes
_ENTRIES: Final = "puad"
_MAX_BYTES: Final = 64 << 10
_TORN_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class GrubOptions:
    """The section `[grub]`.

    Attributes:
        boot: Where the boot partition is mounted.
        kernel_command_line: The file in which the kernel shows its command line.
    """

    boot: Path = Path("/efi")
    kernel_command_line: Path = Path("/proc/cmdline")


@dataclass(frozen=True, slots=True)
class Counters:
    """The tries of a slot that is not good."""

    left: int
    done: int


class Grub(Backend, name="grub", options=GrubOptions):
    """GRUB with puad's grub.cfg."""

    def __init__(self, setup: Setup, options: GrubOptions) -> None:
        super().__init__(setup, options)
        self._options = options
        self._grubenv = options.boot / "grub" / "grubenv"

    def status(self, slot: str) -> BootStatus:
        """See `Backend`."""
        entry = self._entry(slot)
        if entry is None:
            return BootStatus()
        counters = self._counters().get(slot)
        if entry.is_good:
            return BootStatus(has_entry=True, assessment=Assessment.GOOD)
        if counters is None:
            return BootStatus(has_entry=True)
        assessment = Assessment.INDETERMINATE if counters.left else Assessment.BAD
        return BootStatus(True, assessment, counters.left, counters.done)  # noqa: FBT003 -- has_entry

    def primary(self) -> str:
        """See `Backend`."""
        return next(iter(self._ranked()), "")

    def fallback(self) -> str:
        """See `Backend`."""
        ranks = self._ranked()
        return next((slot for slot in list(ranks)[1:] if ranks[slot] > 1), "")

    def booted(self) -> str | None:
        """See `Backend`."""
        return slot_word(self._options.kernel_command_line)

    def pinned(self) -> str:
        """See `Backend`."""
        pin = (self._variables() or {}).get(PIN, "")
        return pin if pin in self.setup.slots else ""

    def partition(self) -> Path:
        """See `Backend`."""
        return self._options.boot

    def check(self) -> None:
        """See `Backend`."""
        folder = self._options.boot / _ENTRIES
        if not folder.is_dir():
            what = f"there is no folder {_ENTRIES} on the boot partition: is it mounted?"
            raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(self._options.boot))
        if not os.access(folder, os.W_OK):
            what = "the boot partition is mounted read-only, or went read-only after an error"
            raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(self._options.boot))

    def boot_folder(self, slot: str) -> Path:
        """See `Backend`."""
        return self._options.boot / _ENTRIES / slot

    def disarm(self, slot: str) -> None:
        """See `Backend`."""
        self.setup.files.remove(self._entry_path(slot))
        folder = self.boot_folder(slot)
        with storage_errors(folder):
            files = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in files:
            self.setup.files.remove(path)

    def arm(self, slot: str, tries: int, entry: Entry) -> None:
        """See `Backend`."""
        last = max(
            (found.order for found in map(self._entry, self.setup.slots) if found), default=0
        )
        data = grub_entry.new_entry(last + 1, entry).encode()
        self._write_counters(slot, Counters(tries, 0))
        self.setup.files.replace(self._entry_path(slot), data)

    def mark_good(self, slot: str) -> None:
        """See `Backend`."""
        self._write_good(slot, is_good=True)

    def mark_bad(self, slot: str) -> None:
        """See `Backend`."""
        counters = self._counters().get(slot, Counters(0, 0))
        self._write_counters(slot, replace(counters, left=0))
        self._write_good(slot, is_good=False)

    def init(self, slot: str, entry: Entry) -> None:
        """Make a new boot partition's only entry: a slot whose boot files are there, good."""
        data = replace(grub_entry.new_entry(1, entry), is_good=True).encode()
        self._write_counters(slot, Counters(0, 0))
        self.setup.files.replace(self._entry_path(slot), data)

    def _ranked(self) -> dict[str, int]:
        """The slots that can boot, first the one that is tried first; 1 is a last resort."""
        counters, pin = self._counters(), self.pinned()
        ranks, keys = {}, {}
        for slot in self.setup.slots:
            entry, tries = self._entry(slot), counters.get(slot)
            folder = self.boot_folder(slot)
            if entry is None or not all(_has_bytes(folder / kind) for kind in entry.kinds):
                continue
            ranks[slot] = 2 if entry.is_good or (tries and tries.left) else 1
            keys[slot] = (slot != pin, -ranks[slot], -entry.order, slot)
        return {slot: ranks[slot] for slot in sorted(ranks, key=keys.__getitem__)}

    def _entry_path(self, slot: str) -> Path:
        return self._options.boot / _ENTRIES / f"{slot}.env"

    def _entry(self, slot: str) -> GrubEntry | None:
        return grub_entry.decode(_read(self._entry_path(slot)))

    def _write_good(self, slot: str, *, is_good: bool) -> None:
        path = self._entry_path(slot)
        entry = self._entry(slot)
        if entry is None:
            what = "the slot's boot entry cannot be read"
            raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(path))
        if entry.is_good is not is_good:
            data = replace(entry, is_good=is_good).encode()
            good = slice(grub_entry.GOOD_OFFSET, grub_entry.GOOD_OFFSET + 1)
            self.setup.files.write_at(path, grub_entry.GOOD_OFFSET, data[good])

    def _variables(self) -> dict[str, str] | None:
        return grubenv.decode(_read(self._grubenv))

    def _counters(self) -> dict[str, Counters]:
        variables = self._variables() or {}
        found = {}
        for slot in self.setup.slots:
            left, done = (variables.get(name, "") for name in _names(slot))
            if re.fullmatch(r"[0-9]", left):
                found[slot] = Counters(int(left), int(done) if re.fullmatch(r"[0-9]", done) else 9)
        return found

    def _write_counters(self, slot: str, counters: Counters) -> None:
        data = _read(self._grubenv)
        record = _encode(slot, counters)
        pattern = b"\n" + re.sub(rb"=.\n", rb"=.\n", record)
        places = [match.start() + 1 for match in re.finditer(pattern, data)]
        in_place = len(data) == grubenv.BLOCK_BYTES and grubenv.is_savable(data)
        if in_place and len(places) == 1 and places[0] + len(record) <= _TORN_BYTES:
            if data[places[0] : places[0] + len(record)] != record:
                self.setup.files.write_at(self._grubenv, places[0], record)
        else:
            self.setup.files.replace(self._grubenv, self._new_block(slot, counters))

    def _new_block(self, slot: str, counters: Counters) -> bytes:
        known = {name: Counters(0, 0) for name in self.setup.slots} | self._counters()
        ours = {
            name: str(value)
            for each, kept in (known | {slot: counters}).items()
            for name, value in zip(_names(each), (kept.left, kept.done), strict=True)
        }
        foreign = {k: v for k, v in (self._variables() or {}).items() if k not in ours}
        block = grubenv.encode(ours | foreign) or grubenv.encode(ours)
        if block is None:
            raise RuntimeError("two counters for each slot always fit")
        return block


def _names(slot: str) -> tuple[str, str]:
    return f"puad_{slot}_left", f"puad_{slot}_done"


def _encode(slot: str, counters: Counters) -> bytes:
    left, done = _names(slot)
    return f"{left}={counters.left}\n{done}={counters.done}\n".encode()


def _has_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _read(path: Path) -> bytes:
    """The begin of a file; empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""
