# SPDX-License-Identifier: Apache-2.0
"""The boot entry of a slot for GRUB and U-Boot: a file that is there or not, and what is in it.

It is a block of GRUB's environment, which U-Boot imports as text too: both take the values as text
and never as script. It is larger than grubenv, for the kernel command line. That the slot is good
is one byte, changed in place: no directory is written when a slot is confirmed, so a power cut
cannot lose the entry.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from bootloader import grubenv
from bootloader.backend import Entry
from bootloader.errors import BootloaderError, ErrorName
from bootloader.kernel_command_line import MAX_LENGTH
from bootloader.slot import BootFileKind

FILE_BYTES: Final = 4096
_GOOD: Final = "puad_good"
GOOD_BYTES: Final = {True: b"1", False: b"0"}
_GOOD_LINE: Final = re.compile(rb"\n%s=(.)\n" % _GOOD.encode())
# GRUB parts the line at spaces, expands * and ?, and changes quotes and backslashes
_LINE: Final = re.compile(r"[ -~]*")
_UNFIT: Final = frozenset("\"'\\*?")


@dataclass(frozen=True, slots=True)
class SlotEntry:
    """What the boot loader is told of a slot.

    Attributes:
        order: Rises with each arm.
        kinds: The boot files that it needs.
        command_line: The kernel command line; a UKI has its own.
        is_good: Whether it is good; None when that byte cannot be read.
    """

    order: int
    kinds: frozenset[BootFileKind]
    command_line: str
    is_good: bool | None = False

    def encode(self) -> bytes:
        """The file.

        Raises:
            BootloaderError: `InvalidArgument`, when the command line is too long.
        """
        data = grubenv.encode(
            {
                _GOOD: "1" if self.is_good else "0",
                "puad_order": str(self.order),
                "puad_kernel": "uki" if BootFileKind.UKI in self.kinds else "linux",
                "puad_initrd": "1" if BootFileKind.INITRD in self.kinds else "0",
                "puad_options": self.command_line,
            },
            FILE_BYTES,
        )
        if data is None or len(self.command_line) > MAX_LENGTH:
            what = f"the kernel command line has more than {MAX_LENGTH} characters"
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, what)
        return data


def new_entry(order: int, entry: Entry) -> SlotEntry:
    """The entry of a slot that is armed.

    Raises:
        BootloaderError: `InvalidArgument`, for what cannot be booted or would be changed.
    """
    _check_kinds(entry.kinds)
    unfit = _UNFIT & set(entry.command_line)
    if unfit or not _LINE.fullmatch(entry.command_line):
        shown = " ".join(sorted(unfit)) or "what is not printable ASCII"
        what = f"the boot loader cannot pass {shown} in the kernel command line"
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, what)
    return SlotEntry(order, entry.kinds, entry.command_line)


def decode(data: bytes) -> SlotEntry | None:
    """The entry that a file holds; None when nothing can boot by it."""
    values = grubenv.decode(data) or {}
    kernel = values.get("puad_kernel")
    if kernel not in {"linux", "uki"}:
        return None
    kinds = {BootFileKind(kernel)}
    if kernel == "linux" and values.get("puad_initrd") == "1":
        kinds.add(BootFileKind.INITRD)
    order = values.get("puad_order", "")
    return SlotEntry(
        order=int(order) if re.fullmatch(r"[0-9]{1,9}", order) else 0,
        kinds=frozenset(kinds),
        command_line=values.get("puad_options", ""),
        is_good={"1": True, "0": False}.get(values.get(_GOOD, "")),
    )


def good_offset(data: bytes) -> int:
    """Where in an entry's file the byte stands that says whether the slot is good.

    Raises:
        BootloaderError: `StorageFailed`, when there is no such place.
    """
    found = _GOOD_LINE.search(data)
    if found is None:
        what = "the slot's boot entry cannot be read"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what)
    return found.start(1)


def _check_kinds(kinds: AbstractSet[BootFileKind]) -> None:
    linux = kinds - {BootFileKind.INITRD} == {BootFileKind.LINUX}
    if not linux and kinds != {BootFileKind.UKI}:
        what = f"a uki boots, or linux with or without initrd, not {', '.join(sorted(kinds))}"
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, what)
