# SPDX-License-Identifier: Apache-2.0
"""systemd-boot: one boot entry for each slot on the ESP, counted in its file name.

The ESP is FAT, where a power cut can tear a rename: the name is lost, stands there twice, or stands
before an empty file. systemd-boot and systemd-bless-boot rename, we hardly do: an entry of ours is
made of zeros under its own name and then written over, and what is torn names nothing to boot.
Rules:

1. Nothing is ever done to the files of another slot than the named one, so whatever happens to a
   name, the fallback's is whole.
2. An entry counts only when its text names something to boot. Of several entries of one slot the
   best one speaks for it: good, then tries left. The others are left until the slot is disarmed:
   they may share their blocks with the best one, and removing them would free these.
3. What cannot be read is an unknown slot, never an exception; what cannot be written is. Asked
   strictly, what cannot be read is one as well.
4. Files of other names, and other people's entries, are left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final

from bootloader import boot_entry, kernel_command_line, loader_variables
from bootloader.backend import Backend, Entry, Setup
from bootloader.boot_entry import EntryName, format_text, parse_name
from bootloader.boot_partition import (
    read_begin,
    remove_boot_files,
    require_writable,
    size_of,
    staged_kinds,
)
from bootloader.entry_files import MAX_TEXT_BYTES, EntryFile, EntryFiles, best_of
from bootloader.errors import BootloaderError, ErrorName
from bootloader.loader_pins import LoaderPins
from bootloader.loader_variables import LoaderVariables
from bootloader.pinned_default import holds
from bootloader.slot import Assessment, BootFileKind, BootStatus

_LOADER_CONF: Final = "loader/loader.conf"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SystemdBootOptions:
    """The section `[systemd-boot]`.

    Attributes:
        esp: Where the ESP is mounted.
        clear_pinned: Whether Arm clears a default that was pinned in the EFI variables.
        efivars: Where efivarfs is mounted.
        kernel_command_line: The file in which the kernel shows its command line.
    """

    esp: Path = Path("/efi")
    clear_pinned: bool = False
    efivars: Path = loader_variables.STANDARD_FOLDER
    kernel_command_line: Path = kernel_command_line.STANDARD_PATH


class SystemdBoot(Backend, name="systemd-boot", options=SystemdBootOptions):
    """systemd-boot on the ESP."""

    def __init__(self, setup: Setup, options: SystemdBootOptions) -> None:
        super().__init__(setup, options)
        self._esp = options.esp
        self._folder = options.esp / boot_entry.FOLDER
        self._entries = EntryFiles(self._folder, setup.slots)
        self._clear_pinned = options.clear_pinned
        self._kernel_command_line = options.kernel_command_line
        self._variables = LoaderVariables(options.efivars)
        self._pins = LoaderPins(self._variables, setup.slots)

    def status(self, slot: str) -> BootStatus:
        """See `Backend`."""
        entries = [entry for entry in self._seen() if entry.name.slot == slot]
        best = best_of(entries)
        if best is None or not best.name.readable:
            return BootStatus(has_entry=bool(entries))
        if best.name.is_good:
            return BootStatus(True, Assessment.GOOD)  # noqa: FBT003 -- has_entry
        left, done = best.name.tries_left, best.name.tries_done
        assessment = Assessment.INDETERMINATE if left else Assessment.BAD
        return BootStatus(True, assessment, left, done)  # noqa: FBT003 -- has_entry

    def primary(self) -> str:
        """See `Backend`."""
        return next((entry.name.slot for entry in self._order()), "")

    def fallback(self) -> str:
        """See `Backend`."""
        primary = self.primary()
        left = (entry.name for entry in self._order() if entry.name.tries_left != 0)
        return next((name.slot for name in left if name.slot != primary), "")

    def booted(self) -> str | None:
        """See `Backend`."""
        for variable in (loader_variables.SELECTED, loader_variables.BOOT_COUNT_PATH):
            name = parse_name(PureWindowsPath(self._variables.read(variable)).name)
            if name and name.slot in self.setup.slots:
                return name.slot
        return None

    def pinned(self) -> str:
        """See `Backend`; a pattern that fits every entry of every slot leaves the order alone."""
        return next((f"{pattern} ({where})" for where, pattern in self._pins_found()), "")

    def pinned_slots(self) -> frozenset[str]:
        """See `Backend`; what is chosen once is not for ever."""
        for where, pattern in self._pins_found():
            held = {entry.name.slot for entry in self._seen() if holds(pattern, entry.path.name)}
            if held and where != loader_variables.ONE_SHOT:
                return frozenset(held)
        return frozenset()

    def is_uncounted(self, slot: str) -> bool:
        """See `Backend`; what systemd-boot cannot count, or cannot rename, it boots anyway."""
        best = best_of([entry for entry in self._seen() if entry.name.slot == slot])
        if best is None or best.name.is_good:
            return False
        return not best.name.readable or bool(best.name.tries_left and not best.name.tries_done)

    def clear_pinned(self) -> None:
        """See `Backend`."""
        if self._clear_pinned:
            self._pins.clear()

    def partition(self) -> Path:
        """See `Backend`."""
        return self._esp

    def check(self) -> None:
        """See `Backend`."""
        require_writable(self._esp, boot_entry.FOLDER, "the ESP")

    def boot_folder(self, slot: str) -> Path:
        """See `Backend`."""
        return self._esp / boot_entry.FILES_FOLDER / slot

    def disarm(self, slot: str) -> None:
        """See `Backend`."""
        self._remove_entries(slot)
        remove_boot_files(self.boot_folder(slot), self.setup.files)

    def arm(self, slot: str, tries: int, entry: Entry) -> None:
        """See `Backend`."""
        generation = self._next_generation()
        text = format_text(slot, entry.kinds, entry.command_line, generation)
        if len(text) > MAX_TEXT_BYTES:
            what = f"the entry would have more than {MAX_TEXT_BYTES} bytes"
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, what, on=slot)
        self._remove_entries(slot)
        self._write(self._folder / str(EntryName(slot, tries)), text)

    def mark_good(self, slot: str) -> None:
        """See `Backend`; systemd-bless-boot may have been here before."""
        listed = self._of(slot)
        best = best_of(listed)
        if best is None:
            self._write_anew(slot)
        elif not best.name.is_good:
            try:
                self._bless(best, listed)
            except BootloaderError:  # systemd-bless-boot may have come first at this very moment
                if self.status(slot).assessment is not Assessment.GOOD:
                    raise

    def mark_bad(self, slot: str) -> None:
        """See `Backend`."""
        listed = self._of(slot)
        taken = {entry.name.tries_done for entry in listed if entry.name.tries_left == 0}
        for entry in listed:
            if entry.name.tries_left == 0:
                continue
            done = entry.name.tries_done
            while done in taken:
                done += 1
            taken.add(done)
            self.setup.files.rename(entry.path, self._folder / str(EntryName(slot, 0, done)))

    def _pins_found(self) -> Iterator[tuple[str, str]]:
        return self._pins.find(read_begin(self._esp / _LOADER_CONF), self._names())

    def _bless(self, best: EntryFile, listed: list[EntryFile]) -> None:
        """Write the entry without a counter, and remove the one with it."""
        files, target = self.setup.files, self._folder / str(EntryName(best.name.slot))
        if target in {entry.path for entry in listed}:  # torn, or it would have been the best one
            files.remove(target)
        try:
            self._write(target, best.raw)
        except BootloaderError as error:
            if error.name is not ErrorName.NO_SPACE:
                raise
            files.rename(best.path, target)
            return
        if sum(entry.text.loader is not None for entry in listed) == 1:
            files.remove(best.path)

    def _write(self, path: Path, text: bytes) -> None:
        with self.setup.files.fresh(path) as file:
            file.write(bytes(len(text)))
        self.setup.files.write_at(path, 0, text)

    def _write_anew(self, slot: str) -> None:
        """Write the entry of the booted slot whose name or text was lost while it runs."""
        words = kernel_command_line.read(self._kernel_command_line).split()
        # systemd-boot adds these for the initrd that the entry names
        line = " ".join(word for word in words if not word.startswith("initrd="))
        folder = self.boot_folder(slot)
        kinds = staged_kinds(folder)
        if not kinds - {BootFileKind.INITRD}:
            what = "neither an entry nor boot files are left of the slot"
            raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(folder))
        text = format_text(slot, kinds, line, self._next_generation())
        target = self._folder / str(EntryName(slot))
        self.setup.files.remove(target)
        self._write(target, text)

    def _remove_entries(self, slot: str) -> None:
        for path in self._entries.paths():
            name = parse_name(path.name)
            if name and name.slot == slot:
                self.setup.files.remove(path)

    def _next_generation(self) -> int:
        return max((entry.text.generation for entry in self._entries.listed()), default=0) + 1

    def _order(self) -> list[EntryFile]:
        """The entries that systemd-boot would show, the one that it boots first in front."""
        shown = [
            entry
            for entry in self._seen()
            if entry.text.loader
            and self._is_there(self.boot_folder(entry.name.slot) / entry.text.loader)
        ]
        return sorted(shown, key=lambda entry: (entry.name.tries_left == 0, -entry.text.generation))

    def _of(self, slot: str) -> list[EntryFile]:
        return [entry for entry in self._entries.listed() if entry.name.slot == slot]

    def _seen(self) -> list[EntryFile]:
        """The entries; none when they cannot be listed, unless that is asked strictly."""
        try:
            return self._entries.listed(strictly=self.setup.is_strict)
        except BootloaderError as error:
            if self.setup.is_strict:
                raise
            _log.warning("the boot entries cannot be listed: %s", error)
            return []

    def _is_there(self, path: Path) -> bool:
        return size_of(path, strictly=self.setup.is_strict) is not None

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self._entries.paths()]
        except BootloaderError:  # as in `_seen`
            return []
