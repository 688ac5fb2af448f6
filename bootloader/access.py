# SPDX-License-Identifier: Apache-2.0
"""Access to the slots' bytes: which slot is booted, how large each is, and claims on them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bootloader.claim import Claim


class SlotAccess(ABC):
    """The slots of this node, found once at start; partitions or, for tests, files."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The slots' names."""

    @property
    @abstractmethod
    def booted(self) -> str:
        """The slot under the root mount."""

    @abstractmethod
    def size(self, slot: str) -> int:
        """The room of a slot, in bytes."""

    @abstractmethod
    def open_active(self) -> int:
        """A descriptor for reading the booted slot."""

    @abstractmethod
    def claim_for_writing(self, slot: str) -> Claim:
        """Claim a slot and let it be written.

        Raises:
            BootloaderError: `Busy`, when somebody holds it.
        """

    @abstractmethod
    def claim_for_seal(self, slot: str, used: int) -> Claim:
        """Claim a slot, zero everything behind its first `used` bytes, and write-protect it.

        Raises:
            BootloaderError: `Busy`, when somebody holds it; `StorageFailed`.
        """

    @abstractmethod
    def root_id(self, slot: str) -> str:
        """The partition id of a slot; empty when it has none.

        Raises:
            BootloaderError: `RootIdTaken`, when another partition has it.
        """

    @abstractmethod
    def partition_id(self, name: str) -> str:
        """The partition id of `esp` or `persist`, on the disk of the slots only.

        Raises:
            BootloaderError: `Disagreement`, when there is not exactly one that has an id;
                `RootIdTaken`, when another partition has it.
        """

    @abstractmethod
    def set_root_id(self, slot: str, partuuid: str) -> None:
        """Give a slot another partition id.

        Raises:
            BootloaderError: `RootIdTaken`, when another partition has it.
        """

    @abstractmethod
    def host_uuid(self) -> str:
        """The machine's UUID, lower case; empty when it has none."""
