# SPDX-License-Identifier: Apache-2.0
"""Slots that are plain files, without anything mounted: for tests of the rules above them."""

from __future__ import annotations

import os
from pathlib import Path

from bootloader.access import SlotAccess
from bootloader.claim import Claim, claim_file
from bootloader.errors import BootloaderError, ErrorName
from bootloader.zeroing import zero_tail

SLOT_BYTES = 1 << 20


class PlainSlots(SlotAccess):
    """Two files; slot a is booted."""

    def __init__(self, folder: Path, booted: str = "a") -> None:
        self.folder = folder
        self._booted = booted
        self.root_ids = {"a": "", "b": ""}
        for name in self.names:
            (folder / f"{name}.img").write_bytes(bytes(SLOT_BYTES))

    @property
    def names(self) -> tuple[str, ...]:
        return ("a", "b")

    @property
    def booted(self) -> str:
        return self._booted

    def path(self, slot: str) -> Path:
        return self.folder / f"{slot}.img"

    def size(self, slot: str) -> int:
        return self.path(slot).stat().st_size

    def open_active(self) -> int:
        return os.open(self.path(self.booted), os.O_RDONLY)

    def claim_for_writing(self, slot: str) -> Claim:
        return claim_file(self.path(slot), writable=True)

    def claim_for_seal(self, slot: str, used: int) -> Claim:
        writing = self.claim_for_writing(slot)
        zero_tail(writing.fd, used, SLOT_BYTES, self.path(slot))
        writing.release()
        return claim_file(self.path(slot), writable=False)

    def root_id(self, slot: str) -> str:
        return self.root_ids[slot]

    def partition_id(self, name: str) -> str:
        return f"id-of-{name}"

    def set_root_id(self, slot: str, partuuid: str) -> None:
        if partuuid in self.root_ids.values():
            raise BootloaderError(ErrorName.ROOT_ID_TAKEN, "taken", on=slot)
        self.root_ids[slot] = partuuid

    def host_uuid(self) -> str:
        return "uuid"
