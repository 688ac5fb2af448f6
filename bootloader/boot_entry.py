# SPDX-License-Identifier: Apache-2.0
"""The boot entry of a slot, Type #1 of the Boot Loader Specification: its file name and its text.

Pure. The counters stand in the name, `puad-<slot>[+LEFT[-DONE]].conf`, and systemd-boot counts by
renaming the file before it boots; an entry without a counter is good. Rules:

1. All our entries have one sort-key, which comes before those of distributions, and no machine-id:
   so `version`, a generation that rises with each arm, decides between the slots.
2. The line that makes a text bootable comes last. A text that a power cut has torn short names
   nothing to boot, and systemd-boot passes over it.
3. A name whose counter cannot be read is still the slot's; systemd-boot boots it without counting.
4. A UKI brings its own command line. Options in the entry would take its place, so there are none
   unless we are given some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bootloader.slot import BootFileKind

FOLDER: Final = "loader/entries"
FILES_FOLDER: Final = "puad"
SORT_KEY: Final = "00-puad"
_NAME: Final = re.compile(r"puad-([a-z0-9]+)(\+.*)?\.conf")
_COUNTER: Final = re.compile(r"\+([0-9]{1,9})(?:-([0-9]{1,9}))?")
_VERSION: Final = re.compile(r"[0-9]{1,18}")
_LOADER_KEYS: Final = {"linux": BootFileKind.LINUX, "efi": BootFileKind.UKI}


@dataclass(frozen=True, slots=True)
class EntryName:
    """What the file name of an entry says.

    Attributes:
        slot: Whose entry it is.
        tries_left: Boots that may still be tried; None when they are not counted.
        tries_done: Boots that were tried.
        readable: Whether what stands behind a plus sign is a counter, if there is a plus sign.
    """

    slot: str
    tries_left: int | None = None
    tries_done: int = 0
    readable: bool = True

    @property
    def is_good(self) -> bool:
        """Whether this is the name of a confirmed slot."""
        return self.readable and self.tries_left is None

    @property
    def exhausted(self) -> EntryName:
        """The name that stays when all tries are used up."""
        if self.tries_left is None:
            return self
        return EntryName(self.slot, 0, self.tries_done + self.tries_left)

    def __str__(self) -> str:
        left, done = self.tries_left, self.tries_done
        counter = "" if left is None else f"+{left}-{done}" if done else f"+{left}"
        return f"puad-{self.slot}{counter}.conf"


@dataclass(frozen=True, slots=True)
class EntryText:
    """What the text of an entry says, as far as it is ours.

    Attributes:
        generation: Rises with each arm.
        loader: What is started, the kernel or the UKI; None in a text that names nothing to boot.
    """

    generation: int
    loader: BootFileKind | None


def parse_name(name: str) -> EntryName | None:
    """A file name of the entries' folder; None for one that is not ours."""
    found = _NAME.fullmatch(name.lower())  # FAT and systemd-boot do not tell the case apart
    if not found:
        return None
    slot, counter = found.groups()
    if counter is None:
        return EntryName(slot)
    counted = _COUNTER.fullmatch(counter)
    if not counted:
        return EntryName(slot, readable=False)
    return EntryName(slot, int(counted[1]), int(counted[2] or 0))


def parse_line(line: str) -> tuple[str, str]:
    """Key and value of a line; empty ones for a comment or an empty line."""
    key, value = [*line.strip().split(None, 1), "", ""][:2]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return ("", "") if key.startswith("#") else (key, value)


def parse_text(data: bytes) -> EntryText:
    """The text of one of our entries; anything may stand in it."""
    generation, loader = 0, None
    # systemd-boot's text ends at the first NUL
    for line in data.partition(b"\0")[0].decode("utf-8", "replace").splitlines():
        key, value = parse_line(line)
        if key == "version" and _VERSION.fullmatch(value):
            generation = int(value)
        elif key in _LOADER_KEYS and value:
            loader = _LOADER_KEYS[key]
    return EntryText(generation, loader)


def format_text(
    slot: str, kinds: Iterable[BootFileKind], command_line: str, generation: int
) -> bytes:
    """The text of an entry.

    Args:
        slot: Whose entry it is.
        kinds: Its boot files.
        command_line: The kernel command line; empty leaves a UKI its own.
        generation: Above every other entry's.
    """
    given = set(kinds)
    lines = [f"title puad, slot {slot}", f"sort-key {SORT_KEY}", f"version {generation:010d}"]
    if command_line:
        lines.append(f"options {command_line}")
    if BootFileKind.INITRD in given:
        lines.append(f"initrd /{FILES_FOLDER}/{slot}/{BootFileKind.INITRD}")
    key = "efi" if BootFileKind.UKI in given else "linux"
    lines.append(f"{key} /{FILES_FOLDER}/{slot}/{_LOADER_KEYS[key]}")
    return "".join(f"{line}\n" for line in lines).encode()
