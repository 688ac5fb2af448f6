# SPDX-License-Identifier: Apache-2.0
"""The template of the kernel command line, and what its placeholders stand for.

Partitions are named by their ids on the disk of the booted root, found at the moment of the arm: a
stick with the same labels can never be meant. Only what the template names is looked up. The first
entry of a new disk comes from the same template, with the ids that the disk is given.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from bootloader.errors import BootloaderError, ErrorName
from bootloader.kernel_command_line import MAX_LENGTH


class PartitionIds(Protocol):
    """Who knows the ids of a disk's partitions: `SlotAccess`, or `Ids` of a disk that is made."""

    def root_id(self, slot: str) -> str:
        """The partition id of a slot."""

    def partition_id(self, name: str) -> str:
        """The partition id of `esp` or `persist`."""


_FROM: Final[Mapping[str, Callable[[PartitionIds, str, Callable[[], str]], str]]] = {
    "slot": lambda _ids, slot, _machine_id: slot,
    "root_id": lambda ids, slot, _machine_id: ids.root_id(slot),
    "esp_id": lambda ids, _slot, _machine_id: ids.partition_id("esp"),
    "persist_id": lambda ids, _slot, _machine_id: ids.partition_id("persist"),
    "machine_id": lambda _ids, _slot, machine_id: machine_id(),
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


def render(template: str, ids: PartitionIds, slot: str, machine_id: Callable[[], str]) -> str:
    """The kernel command line of a slot.

    Args:
        template: A template without faults.
        ids: The ids of the disk's partitions.
        slot: The slot.
        machine_id: Gives the machine's id.

    Raises:
        BootloaderError: `InvalidArgument` when the line becomes too long; what `ids` and
            `machine_id` raise.
    """
    named = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    line = template.format(**{name: _FROM[name](ids, slot, machine_id) for name in named})
    if len(line) > MAX_LENGTH:
        what = f"the kernel command line has {len(line)} characters; the kernel takes {MAX_LENGTH}"
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, what, on=slot)
    return line
