# SPDX-License-Identifier: Apache-2.0
"""The slots as they are shown: what the boot loader, the notes and the seals say of each."""

from __future__ import annotations

from bootloader.access import SlotAccess
from bootloader.backend import Backend
from bootloader.errors import BootloaderError
from bootloader.notes import NoteBook, SealNote
from bootloader.osrelease import OsRelease
from bootloader.seals import Seals
from bootloader.slot import Slot, SlotState


def describe_slots(
    access: SlotAccess, backend: Backend, notebook: NoteBook, seals: Seals, running: OsRelease
) -> tuple[Slot, ...]:
    """Every slot as it stands now.

    Args:
        access: The slots.
        backend: The boot loader.
        notebook: What was sealed on each.
        seals: The seals that hold.
        running: os-release of the booted root.
    """
    try:
        sealed = notebook.read().sealed
    except BootloaderError:  # they only explain the slots; what relies on them says so itself
        sealed = {}
    # what was promised goes before what runs, so that the health process can compare
    images: dict[str, OsRelease | SealNote] = {access.booted: running, **sealed}
    unknown = OsRelease()
    return tuple(
        Slot(
            name=name,
            state=SlotState.BOOTED if name == access.booted else SlotState.INACTIVE,
            status=backend.status(name),
            size_bytes=access.size(name),
            image_id=images.get(name, unknown).image_id,
            profile=images.get(name, unknown).profile,
            sealed=seals.manifest(name) is not None,
        )
        for name in access.names
    )
