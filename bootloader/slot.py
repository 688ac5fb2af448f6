# SPDX-License-Identifier: Apache-2.0
"""The slot: one bootable copy of the OS, as boot control sees it (style.md §3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SlotState(StrEnum):
    """Where a slot stands in this boot.

    `active` is for a slot that belongs to the running system without being under `/`; two-slot
    nodes have none, but the word is part of the contract.
    """

    BOOTED = "booted"
    ACTIVE = "active"
    INACTIVE = "inactive"


class Assessment(StrEnum):
    """What the boot loader thinks of a slot (systemd, Automatic Boot Assessment)."""

    GOOD = "good"
    BAD = "bad"
    INDETERMINATE = "indeterminate"


class BootFileKind(StrEnum):
    """What a boot file is to the boot loader."""

    UKI = "uki"
    LINUX = "linux"
    INITRD = "initrd"


@dataclass(frozen=True, slots=True)
class BootStatus:
    """What the boot loader knows of one slot.

    Attributes:
        has_entry: Whether the boot loader has an entry for it at all.
        assessment: Good, bad or not yet known.
        tries_left: Boots that may still be tried; None when they are not counted.
        tries_done: Boots that were tried; None when they are not counted.
    """

    has_entry: bool = False
    assessment: Assessment = Assessment.INDETERMINATE
    tries_left: int | None = None
    tries_done: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One row of the property `Slots`.

    Attributes:
        name: Its name.
        state: Where it stands in this boot.
        status: What the boot loader knows of it.
        size_bytes: Its room.
        image_id: The image that was sealed on it last; else that of the running system, if it is
            booted; empty when neither is known.
        profile: The OS profile of that image, empty in the same way.
        sealed: Whether it is sealed now.
    """

    name: str
    state: SlotState
    status: BootStatus
    size_bytes: int
    image_id: str
    profile: str
    sealed: bool
