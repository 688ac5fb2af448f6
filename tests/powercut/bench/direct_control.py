# SPDX-License-Identifier: Apache-2.0
"""Boot control without the bus: puad's side of it, answered by the real service's code at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bootloader.backend import Setup
from bootloader.backends import create
from bootloader.chain import Chain
from bootloader.config import DeviceSettings, General
from bootloader.control import BootControl
from bootloader.device_slots import DeviceSlots
from bootloader.devices import BlockDevice, Found
from bootloader.durable import Files
from bootloader.machine import Machine
from bootloader.tables import Section
from puad.bootcontrol import BootControl as Proxy
from puad.core.model import Assessment, Slot, SlotState

_PARTITIONS = {"a": 2, "b": 3}


class BenchMachine(Machine):
    """A machine without systemd, whose boots are always complete."""

    def __init__(self) -> None:
        self.reboots = 0

    def request_reboot(self, reason: str) -> None:
        self.reboots += 1

    def is_boot_complete(self) -> bool:
        return True


class DirectControl(Proxy):
    """The proxy that puad calls, without a bus behind it.

    Args:
        document: The play: its disk and the ids of its partitions.
        booted: The slot that the firmware started.
        esp: Where the ESP is mounted.
        state: Folder of the notes.
        os_release: os-release of the booted image.
        trust_root: The root of trust.
    """

    def __init__(
        self,
        document: dict[str, Any],
        booted: str,
        esp: Path,
        state: Path,
        os_release: Path,
        trust_root: Path,
    ) -> None:
        super().__init__()
        self._machine = BenchMachine()
        run = os_release.parent / "control"
        run.mkdir()
        general = General(
            backend="systemd-boot",
            trust_root=trust_root,
            os_release=os_release,
            state=state,
            run=run,
            command_line="root=PARTUUID={root_id} ro puad.slot={slot}",
        )
        section = Section({"esp": str(esp)}, "the bench")
        backend = create("systemd-boot", Setup(("a", "b"), run, Files()), section)
        disk: str = document["disk"]
        devices = [_device(disk, number, document["partuuids"]) for number in _PARTITIONS.values()]
        found = Found(dict(zip(_PARTITIONS, devices, strict=True)), booted, ())
        self.control = BootControl(
            general,
            backend,
            self._machine,
            lambda: DeviceSlots(found, devices, DeviceSettings(), Files()),
            Files(),
            lambda: datetime.now(UTC),
        )

    def close(self) -> None:
        """Let the slots go, as a reboot does."""
        for slot in _PARTITIONS:
            self.control._seals.drop(slot)

    def booted_slot(self) -> str:
        """See `puad.bootcontrol.BootControl`, here and below."""
        return self.control.booted

    def primary_slot(self) -> str:
        return self.control.backend.primary()

    def slots(self) -> tuple[Slot, ...]:
        return tuple(
            Slot(
                name=slot.name,
                state=SlotState(slot.state),
                assessment=Assessment(slot.status.assessment),
                tries_left=slot.status.tries_left,
                tries_done=slot.status.tries_done,
                size_bytes=slot.size_bytes,
                image_id=slot.image_id,
                sealed=slot.sealed,
            )
            for slot in self.control.slots()
        )

    def disarm(self, slot: str) -> None:
        self.control.disarm(slot)

    def open_inactive(self, slot: str) -> int:
        return self.control.open_inactive(slot)

    def open_active(self) -> int:
        return self.control.open_active()

    def stage(self, slot: str, kind: str, fd: int, size: int, sha256: str) -> None:
        self.control.stage(slot, kind, fd, size, sha256)

    def set_root_id(self, slot: str, partuuid: str) -> None:
        self.control.set_root_id(slot, partuuid)

    def seal(
        self,
        slot: str,
        roots: Sequence[bytes],
        targets: bytes,
        target_path: str,
        index: bytes = b"",
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.control.seal(slot, Chain(roots, targets, target_path, index))

    def arm(self, slot: str, tries: int) -> None:
        self.control.arm(slot, tries)

    def mark_good(self, slot: str) -> None:
        self.control.mark_good(slot)

    def mark_bad(self, slot: str) -> None:
        self.control.mark_bad(slot)

    def request_reboot(self, reason: str) -> None:
        self.control.request_reboot(reason)

    @property
    def reboots(self) -> int:
        """How often a reboot was asked for."""
        return self._machine.reboots


def _device(disk: str, number: int, partuuids: dict[str, str]) -> BlockDevice:
    node = Path(f"{disk}{number}")
    status = node.stat().st_rdev
    size = int(Path(f"/sys/class/block/{node.name}/size").read_text("ascii")) * 512
    return BlockDevice(
        number=f"{os.major(status)}:{os.minor(status)}",
        node=node,
        disk=disk,
        size_bytes=size,
        partuuid=partuuids[str(number)],
        partition=number,
    )
