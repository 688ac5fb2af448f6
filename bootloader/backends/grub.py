# SPDX-License-Identifier: Apache-2.0
"""GRUB: entries and counters that `bootloader/grub/grub.cfg` reads at power-on.

The entries are those of `bootloader.counted_entries`. The tries of slots that are not good stand in
`grub/grubenv` on the boot partition, the only file that GRUB writes. It is written in place: a
slot's two counters in one write within the first 512 bytes, and each counter is one character, so
that a torn write leaves the old or the new one. Only a block that is not as we wrote it is replaced
as a whole; variables of others in it are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader import grubenv, kernel_command_line
from bootloader.backend import Backend, Setup
from bootloader.boot_partition import read_begin
from bootloader.counted_entries import CountedEntries, Counters

PIN: Final = "saved_entry"  # what grub-set-default writes
_SECTOR_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class GrubOptions:
    """The section `[grub]`.

    Attributes:
        boot: Where the boot partition is mounted.
        kernel_command_line: The file in which the kernel shows its command line.
    """

    boot: Path = Path("/efi")
    kernel_command_line: Path = kernel_command_line.STANDARD_PATH


class Grub(CountedEntries, Backend, name="grub", options=GrubOptions):
    """GRUB with puad's grub.cfg."""

    pin = PIN

    def __init__(self, setup: Setup, options: GrubOptions) -> None:
        super().__init__(setup, options)
        self.boot = options.boot
        self.kernel_command_line = options.kernel_command_line
        self._path_of_grubenv = options.boot / "grub" / "grubenv"

    def variables(self) -> dict[str, str]:
        """See `CountedEntries`."""
        return grubenv.decode(read_begin(self._path_of_grubenv)) or {}

    def names(self, slot: str) -> tuple[str, str]:
        """See `CountedEntries`."""
        return f"puad_{slot}_left", f"puad_{slot}_done"

    def write_counters(self, slot: str, counters: Counters, *, first: bool = False) -> None:  # noqa: ARG002 -- the entry has the order
        """See `CountedEntries`."""
        data = read_begin(self._path_of_grubenv)
        left, done = self.names(slot)
        record = f"{left}={counters.left}\n{done}={counters.done}\n".encode()
        pattern = b"\n" + re.sub(rb"=.\n", rb"=.\n", record)
        places = [match.start() + 1 for match in re.finditer(pattern, data)]
        as_ours = len(data) == grubenv.BLOCK_BYTES and grubenv.is_savable(data)
        if as_ours and len(places) == 1 and places[0] + len(record) <= _SECTOR_BYTES:
            self.setup.files.write_at(self._path_of_grubenv, places[0], record)
        else:
            self._replace(self._new_block(slot, counters), len(data))

    def _replace(self, block: bytes, old_bytes: int) -> None:
        # no rename, which FAT can tear; grubenv may get lost, since no good slot depends on it
        if old_bytes == len(block):
            self.setup.files.write_at(self._path_of_grubenv, 0, block)
            return
        self.setup.files.remove(self._path_of_grubenv)
        with self.setup.files.fresh(self._path_of_grubenv) as file:
            file.write(block)

    def _new_block(self, slot: str, counters: Counters) -> bytes:
        known = {name: Counters(0, 0) for name in self.setup.slots} | self.counters()
        ours = {
            name: str(value)
            for each, kept in (known | {slot: counters}).items()
            for name, value in zip(self.names(each), (kept.left, kept.done), strict=True)
        }
        foreign = {name: value for name, value in self.variables().items() if name not in ours}
        block = grubenv.encode(ours | foreign) or grubenv.encode(ours)
        if block is None:
            raise RuntimeError("two counters for each slot always fit")
        return block
