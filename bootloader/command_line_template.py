# SPDX-License-Identifier: Apache-2.0
"""The template of the kernel command line, and what its placeholders stand for.

Partitions are named by their ids on the disk of the booted root, found at the moment of the arm: a
stick with the same labels can never be meant. Only what the template names is looked up.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bootloader.access import SlotAccess
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName

MAX_LENGTH: Final = 2047  # what the kernel takes on x86, without the NUL
_MACHINE_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAX_BYTES: Final = 64
_FROM: Final[Mapping[str, Callable[[SlotAccess, str, Path], str]]] = {
    "slot": lambda _access, slot, _file: slot,
    "root_id": lambda access, slot, _file: access.root_id(slot),
    "esp_id": lambda access, _slot, _file: access.partition_id("esp"),
    "persist_id": lambda access, _slot, _file: access.partition_id("persist"),
    "machine_id": lambda _access, _slot, file: _machine_id(file),
}


def find_fault(template: str) -> str:
    """What is wrong with a template; empty when nothing is."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        return f"is no template: {error}"
    for _, name, spec, conversion in parts:
        if name is not None and (name not in _FROM or spec or conversion):
            known = ", ".join(f"{{{known}}}" for known in _FROM)
            return f"knows {known}, not {name!r}"
    return "" if template.isprintable() else "must be one line of text"


def render(template: str, access: SlotAccess, slot: str, machine_id: Path) -> str:
    """The kernel command line of a slot.

    Args:
        template: A template without faults.
        access: The slots and their disk.
        slot: The slot.
        machine_id: The file that holds the machine's id.

    Raises:
        BootloaderError: `Disagreement` when a partition is not to be told, `StorageFailed` when the
            machine has no id, `InvalidArgument` when the line becomes too long.
    """
    named = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    line = template.format(**{name: _FROM[name](access, slot, machine_id) for name in named})
    if len(line) > MAX_LENGTH:
        what = f"the kernel command line has {len(line)} characters; the kernel takes {MAX_LENGTH}"
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, what, on=slot)
    return line


def _machine_id(file: Path) -> str:
    with storage_errors(file), file.open("rb") as opened:
        text = opened.read(_MAX_BYTES).decode("ascii", "replace").strip()
    if not _MACHINE_ID.fullmatch(text):
        what = "the machine has no id yet, so the next boot could not be told to keep it"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(file))
    return text
