# SPDX-License-Identifier: Apache-2.0
"""Boot control over a simulated machine, with slots that are plain files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bootloader import claim
from bootloader.chain import Chain
from bootloader.config import General
from bootloader.control import BootControl
from bootloader.durable import Files
from bootloader.errors import BootloaderError
from bootloader.simulated_machine import SimulatedMachine
from tests.unit.bootloader.machines import FirmwareMachine, SystemdBootMachine
from tests.unit.bootloader.signing import NOW, TARGET, Publisher, boot_file, manifest_of
from tests.unit.bootloader.slots import PlainSlots

LINUX = b"kernel of the new image" * 100
IMAGE = os.urandom(300_001)


@dataclass
class Desk:
    """Boot control and everything around it."""

    folder: Path
    machine: FirmwareMachine | SystemdBootMachine
    access: PlainSlots
    publisher: Publisher
    control: BootControl = field(init=False)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.start_service()

    def start_service(self, files: Files | None = None, access: PlainSlots | None = None) -> None:
        """Start the service anew, as after a crash or a reboot."""
        general = General(
            backend="simulated",
            trust_root=self.folder / "root.json",
            os_release=self.folder / "os-release",
            state=self.folder / "state",
            run=self.machine.run,
            command_line="root=PARTUUID={root_id} puad.slot={slot}",
        )
        files = files or Files()
        found = access or self.access
        backend = self.machine.backend(files)
        machine = SimulatedMachine(self.machine.run, files)
        self.control = BootControl(
            general, backend, machine, lambda: found, files, lambda: self.now
        )

    def reboot(self, image_id: str = "13.1") -> str:
        """Power off and on; the slot that came up runs a new service."""
        for name in ("a", "b"):
            self.control._seals.drop(name)
        slot = self.machine.power_on() or ""
        (self.folder / "os-release").write_text(f"IMAGE_ID=edge\nIMAGE_VERSION={image_id}\n")
        self.access._booted = slot
        self.start_service()
        return slot

    def write(self, data: bytes = IMAGE) -> None:
        fd = self.control.open_inactive("b")
        os.pwrite(fd, data, 0)
        os.close(fd)

    def stage(self, data: bytes = LINUX, kind: str = "linux", **changes: Any) -> None:
        given: dict[str, Any] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        given |= changes
        fd = os.memfd_create(kind)
        try:
            os.write(fd, data)
            self.control.stage("b", kind, fd, given["size"], given["sha256"])
        finally:
            os.close(fd)

    def chain(self, roots: Sequence[bytes] = (), **changes: Any) -> Chain:
        fields = {"boot_files": [boot_file("linux", LINUX)]} | changes
        return Chain(roots, self.publisher.targets(manifest_of(IMAGE, **fields)), TARGET)

    def prepare(self) -> None:
        """Everything up to the seal."""
        self.control.disarm("b")
        self.write()
        self.stage()

    def install(self, tries: int = 3, **changes: Any) -> None:
        self.prepare()
        self.control.seal("b", self.chain(**changes))
        self.control.arm("b", tries)

    def refusal(self, call: Any, *values: Any, **more: Any) -> str:
        with pytest.raises(BootloaderError) as caught:
            call(*values, **more)
        return caught.value.name.value


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(claim, "WAIT_S", 0.1)
    publisher = Publisher()
    (tmp_path / "root.json").write_bytes(publisher.root())
    (tmp_path / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.0\n")
    machine = tmp_path / "machine"
    machine.mkdir()
    return Desk(tmp_path, FirmwareMachine(machine), PlainSlots(tmp_path), publisher)
