# SPDX-License-Identifier: Apache-2.0
"""What back ends share whose entries are files of ours, while the tries are counted elsewhere.

On the boot partition:

- `puad/<slot>.env`, the entry: without it the slot cannot boot. It says which boot files are
  needed, the kernel command line, the order, and whether the slot is good.
- `puad/<slot>/`, the boot files.

Rules:

1. Arm writes the counters, then the entry, its first line last; Disarm deletes the entry, then the
   boot files. So the entry alone decides, and no torn counter can make a slot bootable.
2. A good slot depends on its entry only, never on the counters.
3. When the counters cannot be read, a good slot is booted; without a good one, any whose entry and
   boot files are there, not counted.
4. What cannot be read is an unknown slot, never an exception; what cannot be written is. Asked
   strictly, an entry that cannot be read is one as well; by rule 2 the counters need not be.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

from bootloader import grubenv, slot_entry
from bootloader.backend import Entry, Setup
from bootloader.boot_partition import (
    read_begin,
    remove_boot_files,
    require_writable,
    size_of,
)
from bootloader.kernel_command_line import slot_word
from bootloader.slot import Assessment, BootStatus
from bootloader.slot_entry import SlotEntry

_FOLDER: Final = "puad"
_DIGIT: Final = re.compile(r"[0-9]")


@dataclass(frozen=True, slots=True)
class Counters:
    """The tries of a slot that is not good."""

    left: int
    done: int


class CountedEntries(ABC):
    """Goes before `Backend` among the bases of a back end; the variables are left to that one."""

    pin: ClassVar[str]  # the name of the variable that pins a slot
    setup: Setup
    boot: Path
    kernel_command_line: Path
    _looked_at: Mapping[str, str] | None = None

    @abstractmethod
    def variables(self) -> Mapping[str, str]:
        """What is kept beside the entries; empty when it cannot be read. Once per operation."""

    @abstractmethod
    def names(self, slot: str) -> tuple[str, str]:
        """The names of the variables with a slot's counters, left and done."""

    @abstractmethod
    def write_counters(self, slot: str, counters: Counters, *, first: bool = False) -> None:
        """Change one slot's counters; with `first` it is also the one that is tried first."""

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """See `Backend`."""
        self._looked_at = self.variables()
        try:
            yield
        finally:
            self._looked_at = None

    def turn(self, slot: str, entry: SlotEntry, variables: Mapping[str, str]) -> int:  # noqa: ARG002 -- for who keeps an order elsewhere
        """The slot with the lowest number goes first among equals."""
        return -entry.order

    def pinned(self) -> str:
        """See `Backend`."""
        return self._pinned_by(self._variables())

    def counters(self) -> dict[str, Counters]:
        """The counters of the slots, as far as they can be read."""
        return self._counters_in(self._variables())

    def status(self, slot: str) -> BootStatus:
        """See `Backend`."""
        entry = self.entry(slot)
        if entry is None:
            return BootStatus()
        if entry.is_good:
            return BootStatus(has_entry=True, assessment=Assessment.GOOD)
        counters = self.counters().get(slot)
        if counters is None:
            return BootStatus(has_entry=True)
        assessment = Assessment.INDETERMINATE if counters.left else Assessment.BAD
        return BootStatus(True, assessment, counters.left, counters.done)  # noqa: FBT003 -- has_entry

    def primary(self) -> str:
        """See `Backend`."""
        return next(iter(self.ranks()), "")

    def fallback(self) -> str:
        """See `Backend`."""
        ranks = self.ranks()
        return next((slot for slot in list(ranks)[1:] if ranks[slot] > 1), "")

    def booted(self) -> str | None:
        """See `Backend`."""
        return slot_word(self.kernel_command_line)

    def partition(self) -> Path:
        """See `Backend`."""
        return self.boot

    def check(self) -> None:
        """See `Backend`."""
        require_writable(self.boot, _FOLDER, "the boot partition")

    def boot_folder(self, slot: str) -> Path:
        """See `Backend`."""
        return self.boot / _FOLDER / slot

    def disarm(self, slot: str) -> None:
        """See `Backend`."""
        self.setup.files.remove(self._path(slot))
        remove_boot_files(self.boot_folder(slot), self.setup.files)

    def arm(self, slot: str, tries: int, entry: Entry) -> None:
        """See `Backend`."""
        orders = [found.order for found in map(self.entry, self.setup.slots) if found]
        data = slot_entry.new_entry(max(orders, default=0) + 1, entry).encode()
        self.setup.files.remove(self._path(slot))
        self.write_counters(slot, Counters(tries, 0), first=True)
        self._write_entry(slot, data)

    def mark_good(self, slot: str) -> None:
        """See `Backend`."""
        self._write_good(slot, is_good=True)

    def mark_bad(self, slot: str) -> None:
        """See `Backend`."""
        counters = self.counters().get(slot)
        if counters is None or counters.left:
            self.write_counters(slot, replace(counters or Counters(0, 0), left=0))
        self._write_good(slot, is_good=False)

    def ranks(self) -> dict[str, int]:
        """The slots that can boot, first the one that is tried first; 1 is a last resort."""
        variables = self._variables()
        counters, pin = self._counters_in(variables), self._pinned_by(variables)
        ranks, keys = {}, {}
        for slot in self.setup.slots:
            entry, tries = self.entry(slot), counters.get(slot)
            folder = self.boot_folder(slot)
            if entry is None or not all(self._has_bytes(folder / kind) for kind in entry.kinds):
                continue
            ranks[slot] = 2 if entry.is_good or (tries and tries.left) else 1
            keys[slot] = (slot != pin, -ranks[slot], self.turn(slot, entry, variables), slot)
        return {slot: ranks[slot] for slot in sorted(ranks, key=keys.__getitem__)}

    def entry(self, slot: str) -> SlotEntry | None:
        """A slot's entry; None when there is none, or none that it could boot by."""
        data = read_begin(self._path(slot), strictly=self.setup.is_strict)
        return slot_entry.decode(data)

    def _variables(self) -> Mapping[str, str]:
        looked_at = self._looked_at  # once: another thread may end the look meanwhile
        return self.variables() if looked_at is None else looked_at

    def _has_bytes(self, path: Path) -> bool:
        return bool(size_of(path, strictly=self.setup.is_strict))

    def _counters_in(self, variables: Mapping[str, str]) -> dict[str, Counters]:
        found = {}
        for slot in self.setup.slots:
            left, done = (variables.get(name, "") for name in self.names(slot))
            if _DIGIT.fullmatch(left):
                found[slot] = Counters(int(left), int(done) if _DIGIT.fullmatch(done) else 9)
        return found

    def _pinned_by(self, variables: Mapping[str, str]) -> str:
        pin = variables.get(self.pin, "")
        return pin if pin in self.setup.slots else ""

    def _path(self, slot: str) -> Path:
        return self.boot / _FOLDER / f"{slot}.env"

    def _write_entry(self, slot: str, data: bytes) -> None:
        # no rename, which FAT can tear: what makes it an entry is written last, within one sector
        path, head = self._path(slot), len(grubenv.SIGNATURE)
        with self.setup.files.fresh(path) as file:
            file.write(bytes(len(data)))
        self.setup.files.write_at(path, head, data[head:])
        self.setup.files.write_at(path, 0, data[:head])

    def _write_good(self, slot: str, *, is_good: bool) -> None:
        data = read_begin(self._path(slot))
        offset = slot_entry.good_offset(data)
        byte = slot_entry.GOOD_BYTES[is_good]
        if data[offset : offset + 1] != byte:
            self.setup.files.write_at(self._path(slot), offset, byte)
