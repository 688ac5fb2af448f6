# SPDX-License-Identifier: Apache-2.0
"""The simulated boot loader: firmware in one file, with the semantics of the real ones.

The service talks to it as to any back end. `power_on` is the firmware's own half: it chooses a slot
and counts the try *before* it is made; only `bootloader.simulation` calls it. What it chose is left
for the booted node in the run folder, see `bootloader.simulated_machine`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bootloader import firmware
from bootloader.backend import Backend, Entry, Setup
from bootloader.boot_partition import remove_boot_files, staged_kinds
from bootloader.firmware import Firmware, Header, Record
from bootloader.simulated_machine import read_selected
from bootloader.slot import Assessment, BootFileKind, BootStatus


@dataclass(frozen=True, slots=True)
class Start:
    """One try of the firmware to boot a slot, already counted.

    Attributes:
        slot: The slot that it chose.
        tries_left: Tries that remain after this one; None when it is not counted.
        tries_done: Tries so far, this one included; None when it is not counted.
        counted: Whether this try was taken from the slot's tries.
        command_line: The kernel command line of its entry.
    """

    slot: str
    tries_left: int | None
    tries_done: int | None
    counted: bool
    command_line: str


@dataclass(frozen=True, slots=True)
class SimulatedOptions:
    """The section `[simulated]`.

    Attributes:
        firmware: The firmware's file; boot files lie in the folder `<firmware>.d`.
    """

    firmware: Path


class Simulated(Backend, name="simulated", options=SimulatedOptions):
    """Firmware in a file, for the demo and the tests."""

    def __init__(self, setup: Setup, options: SimulatedOptions) -> None:
        super().__init__(setup, options)
        self._path = options.firmware

    def status(self, slot: str) -> BootStatus:
        """See `Backend`."""
        record = self._read().records[slot]
        if not isinstance(record, Record):
            return BootStatus(has_entry=record is not None)
        assessment = Assessment.GOOD
        if record.tries_left is not None:
            assessment = Assessment.INDETERMINATE if record.tries_left else Assessment.BAD
        return BootStatus(True, assessment, record.tries_left, record.tries_done)  # noqa: FBT003 -- has_entry

    def primary(self) -> str:
        """See `Backend`."""
        return next(iter(self._order(self._read())), "")

    def fallback(self) -> str:
        """See `Backend`."""
        state = self._read()
        for slot in self._order(state)[1:]:
            record = state.records[slot]
            if isinstance(record, Record) and record.tries_left != 0:
                return slot
        return ""

    def booted(self) -> str | None:
        """See `Backend`."""
        slot = read_selected(self.setup.run).get("slot")
        return slot if isinstance(slot, str) else None

    def pinned(self) -> str:
        """See `Backend`."""
        return self._read().header.pinned

    def boot_folder(self, slot: str) -> Path:
        """See `Backend`."""
        return self._path.with_name(f"{self._path.name}.d") / slot

    def disarm(self, slot: str) -> None:
        """See `Backend`."""
        self._write(slot, None)
        remove_boot_files(self.boot_folder(slot), self.setup.files)

    def arm(self, slot: str, tries: int, entry: Entry) -> None:
        """See `Backend`."""
        generation = self._read().next_generation()
        self._write(slot, Record(generation, tries, 0, entry.kinds, entry.command_line))

    def mark_good(self, slot: str) -> None:
        """See `Backend`."""
        self._mark(slot, tries_left=None)

    def mark_bad(self, slot: str) -> None:
        """See `Backend`."""
        self._mark(slot, tries_left=0)

    def power_on(self) -> Start | None:
        """Choose a slot and count the try; None when nothing is bootable."""
        state = self._read()
        slot = next(iter(self._order(state)), None)
        if slot is None:
            return None
        record = state.records[slot]
        if not isinstance(record, Record):
            return Start(slot, None, None, counted=False, command_line="")
        left, done = record.tries_left, record.tries_done
        counted = bool(left) and state.header.counting
        if left and counted:
            left, done = left - 1, (done or 0) + 1
            self._write(slot, replace(record, tries_left=left, tries_done=done))
        return Start(slot, left, done, counted, record.command_line)

    def init(self, slot: str, header: Header, command_line: str) -> None:
        """Make a new firmware whose only entry is a slot that is good."""
        for name in self.setup.slots:
            self._write(name, None)
        self.setup.files.write_at(self._path, 0, firmware.encode_header(header))
        self._write(slot, Record(1, kinds=self._present(slot), command_line=command_line))

    def _mark(self, slot: str, *, tries_left: int | None) -> None:
        state = self._read()
        record = state.records[slot]
        if not isinstance(record, Record):  # torn, but it did boot: write it anew
            line = str(read_selected(self.setup.run).get("command_line", ""))
            record = Record(state.next_generation(), None, None, self._present(slot), line)
        done = None if tries_left is None else record.tries_done or 0
        marked = replace(record, tries_left=tries_left, tries_done=done)
        if marked != state.records[slot]:
            self._write(slot, marked)

    def _read(self) -> Firmware:
        return firmware.read(self._path, self.setup.slots)

    def _write(self, slot: str, record: Record | None) -> None:
        offset = firmware.record_offset(slot, self.setup.slots)
        self.setup.files.write_at(self._path, offset, firmware.encode_record(record))

    def _order(self, state: Firmware) -> list[str]:
        return state.order({slot: self._present(slot) for slot in self.setup.slots})

    def _present(self, slot: str) -> frozenset[BootFileKind]:
        return staged_kinds(self.boot_folder(slot))
