# SPDX-License-Identifier: Apache-2.0
"""Layout: the partitions of a node's disk, and the ids that everything on it is named by. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bootloader.command_line_template import render
from bootloader.config import DeviceSettings

ESP: Final = "esp"
PERSIST: Final = "persist"
ROLES: Final = (ESP, "a", "b", PERSIST)
SIZE: Final = re.compile(r"([1-9][0-9]{0,15})([KMGT]?)")
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class Ids:
    """What names this disk and this node.

    Attributes:
        seed: What systemd-repart derives the disk's own id from.
        partitions: PARTUUID by role: `esp`, `a`, `b`, `persist`.
        machine_id: 32 hex digits, or `firmware`: systemd then derives it from the machine's UUID.
    """

    seed: uuid.UUID
    partitions: Mapping[str, uuid.UUID]
    machine_id: str

    @staticmethod
    def from_seed(seed: uuid.UUID, machine_id: str = "") -> Ids:
        """Ids that are as random as the seed, and the same for the same seed."""
        partitions = {role: uuid.uuid5(seed, f"puad partition {role}") for role in ROLES}
        own = uuid.uuid5(seed, "puad machine-id").hex
        return Ids(seed, partitions, machine_id or own)

    def command_line(self, template: str) -> str:
        """The kernel command line of slot a.

        Raises:
            BootloaderError: `InvalidArgument`, when it becomes too long.
        """
        return render(template, self, "a", lambda: self.machine_id)

    def root_id(self, slot: str) -> str:
        """See `PartitionIds`."""
        return str(self.partitions[slot])

    def partition_id(self, name: str) -> str:
        """See `PartitionIds`."""
        return str(self.partitions[name])


def labels(settings: DeviceSettings) -> dict[str, str]:
    """The partition label of each role."""
    return {ESP: settings.esp, **settings.slots, PERSIST: settings.persist}


def parse_size(text: str) -> int:
    """A size in bytes, given like `512M` or `4G`.

    Raises:
        ValueError: When it is no size, or not a multiple of 4096.
    """
    found = SIZE.fullmatch(text.upper())
    if not found:
        raise ValueError(f"{text} is not a size: write a whole number with K, M, G or T, like 4G")
    size = int(found[1]) * _UNITS[found[2]]
    if size % 4096:
        raise ValueError(f"{text} is no multiple of 4 KiB")
    return size


def persist_id(command_line: str, mount_point: str = "/persist") -> uuid.UUID | None:
    """The PARTUUID that the running kernel's command line mounts at the persistent partition."""
    for word in command_line.split():
        key, _, value = word.partition("=")
        what, _, rest = value.partition(":")
        if key == "systemd.mount-extra" and rest.split(":")[0] == mount_point:
            kind, _, name = what.partition("=")
            try:
                return uuid.UUID(name) if kind.upper() == "PARTUUID" else None
            except ValueError:
                return None
    return None
