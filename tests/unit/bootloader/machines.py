# SPDX-License-Identifier: Apache-2.0
"""For each back end a machine that can be powered on, so that one suite fits all of them."""

from __future__ import annotations

import errno
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from bootloader.backend import Backend, Setup
from bootloader.backends.simulated import Simulated, SimulatedOptions
from bootloader.backends.systemd_boot import SystemdBoot, SystemdBootOptions
from bootloader.boot_entry import format_text
from bootloader.durable import Files
from bootloader.firmware import BLOCK_BYTES, Header, encode_header
from bootloader.simulated_machine import BOOT_COMPLETE, SELECTED
from bootloader.slot import BootFileKind
from tests.unit.bootloader import loader_model

SLOTS = ("a", "b")


class PowerCut(BaseException):
    """The power is gone; nothing of the code under test runs any more."""


class Cut(StrEnum):
    """What a write that the power cut hits leaves behind."""

    OLD = "old"
    NEW = "new"
    TORN = "torn"


class CutFiles(Files):
    """Cuts the power at the n-th write; what it hits stays old, gets new, or is torn."""

    def __init__(self, at: int, how: Cut) -> None:
        self.left = at
        self.how = how

    def _hits(self) -> bool:
        self.left -= 1
        return self.left < 0

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        if not self._hits():
            super().write_at(path, offset, data)
            return
        written = {Cut.OLD: b"", Cut.NEW: data, Cut.TORN: data[:40]}[self.how]
        super().write_at(path, offset, written)
        raise PowerCut

    @contextmanager
    def fresh(self, path: Path) -> Iterator[BinaryIO]:
        hits = self._hits()
        if hits and self.how is Cut.OLD:
            raise PowerCut
        if hits and self.how is Cut.TORN:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"torn")
            raise PowerCut
        with super().fresh(path) as file:
            yield file
        if hits:
            raise PowerCut

    def rename(self, path: Path, target: Path) -> None:
        hits = self._hits()
        if hits and self.how is Cut.TORN:  # FAT: the new name stands before an empty file
            target.touch()
            path.unlink()
        elif not hits or self.how is Cut.NEW:
            super().rename(path, target)
        if hits:
            raise PowerCut

    @contextmanager
    def incoming(self, path: Path) -> Iterator[BinaryIO]:
        hits = self._hits()
        if hits and self.how is not Cut.NEW:
            if self.how is Cut.TORN:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f".{path.name}.new").write_bytes(b"torn")
            raise PowerCut
        with super().incoming(path) as file:
            yield file
        if hits:
            raise PowerCut

    def remove(self, path: Path) -> None:
        hits = self._hits()
        if not hits or self.how is Cut.NEW:
            super().remove(path)
        if hits:
            raise PowerCut


def break_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at a file or folder from here on down gets EIO."""
    whole = os.stat

    def stat(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
        if isinstance(path, str | Path) and Path(path).is_relative_to(folder):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return whole(path, *arguments, **more)

    monkeypatch.setattr(os, "stat", stat)
    list_ = os.listdir

    def listdir(path: Any) -> list[str]:
        stat(path)
        return list_(path)

    monkeypatch.setattr(os, "listdir", listdir)


def leave_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a file or a folder for reading gets EMFILE."""
    whole = os.open

    def refuse(path: Any, *_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    def open_(path: Any, flags: int, *arguments: Any, **more: Any) -> int:
        return whole(path, flags, *arguments, **more) if flags & os.O_WRONLY else refuse(path)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(os, "open", open_)


class LoaderMachine(ABC):
    """A machine with one of the boot loaders; slot a is good and was booted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.run.mkdir()

    @abstractmethod
    def backend(self, files: Files | None = None) -> Backend:
        """The back end, as the booted slot's service uses it."""

    @abstractmethod
    def power_on(self) -> str | None:
        """Boot; the slot that came up."""

    def complete_boot(self) -> None:
        """Reach boot-complete."""
        (self.run / BOOT_COMPLETE).touch()

    @abstractmethod
    def ruin(self) -> None:
        """Make all of the boot loader's state unreadable."""

    @abstractmethod
    def pin(self, slot: str) -> None:
        """Pin a default, as an operator can."""

    @abstractmethod
    def state_of(self, slot: str) -> bytes:
        """Every byte of a slot's entry and boot files."""


class FirmwareMachine(LoaderMachine):
    """The simulated firmware."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.firmware = folder / "firmware"
        boot_folder = self.backend().boot_folder("a")
        boot_folder.mkdir(parents=True)
        (boot_folder / "linux").write_bytes(b"kernel a")
        self.backend().init("a", Header(), "slot=a")
        self.power_on()

    def backend(self, files: Files | None = None) -> Simulated:
        return Simulated(Setup(SLOTS, self.run, files or Files()), SimulatedOptions(self.firmware))

    def power_on(self) -> str | None:
        (self.run / BOOT_COMPLETE).unlink(missing_ok=True)
        start = self.backend().power_on()
        if start is None:
            return None
        word = {"slot": start.slot, "command_line": start.command_line, "pid_namespace": 0}
        (self.run / SELECTED).write_text(json.dumps(word))
        return start.slot

    def ruin(self) -> None:
        self.firmware.write_bytes(b"\xff" * 3 * BLOCK_BYTES)

    def pin(self, slot: str) -> None:
        Files().write_at(self.firmware, 0, encode_header(Header(pinned=slot)))

    def state_of(self, slot: str) -> bytes:
        begin = BLOCK_BYTES * (1 + SLOTS.index(slot))
        folder = self.backend().boot_folder(slot)
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        block = self.firmware.read_bytes()[begin : begin + BLOCK_BYTES]
        return b"".join([block, *(path.read_bytes() for path in files)])


class SystemdBootMachine(LoaderMachine):
    """An ESP and EFI variables, under a model of systemd-boot."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.esp = folder / "esp"
        self.command_line = folder / "cmdline"
        self.efivars = folder / "efivars"
        self.efivars.mkdir()
        self.entries = self.esp / "loader/entries"
        self.entries.mkdir(parents=True)
        boot_folder = self.backend().boot_folder("a")
        boot_folder.mkdir(parents=True)
        (boot_folder / "linux").write_bytes(b"kernel a")
        text = format_text("a", [BootFileKind.LINUX], "slot=a", 1)
        (self.entries / "puad-a.conf").write_bytes(text)
        self.power_on()

    def backend(self, files: Files | None = None) -> SystemdBoot:
        options = SystemdBootOptions(
            esp=self.esp, efivars=self.efivars, kernel_command_line=self.command_line
        )
        return SystemdBoot(Setup(SLOTS, self.run, files or Files()), options)

    def power_on(self) -> str | None:
        (self.run / BOOT_COMPLETE).unlink(missing_ok=True)
        chosen = loader_model.boot(self.esp, self.efivars)
        return Path(chosen.loader).parent.name if chosen else None

    def ruin(self) -> None:
        for path in self.entries.iterdir():
            path.rename(path.with_name(f"{path.name.partition('.')[0].partition('+')[0]}+x.conf"))
        (self.esp / "loader/loader.conf").write_bytes(b"\xff\0 default")
        for path in self.efivars.iterdir():
            path.write_bytes(b"\xff")

    def pin(self, slot: str) -> None:
        loader_model.write_variable(self.efivars, "LoaderEntryDefault", f"puad-{slot}.conf")

    def state_of(self, slot: str) -> bytes:
        folder = self.backend().boot_folder(slot)
        files = [
            *self.entries.glob(f"puad-{slot}*"),
            *(folder.iterdir() if folder.is_dir() else ()),
        ]
        return b"".join(path.name.encode() + path.read_bytes() for path in sorted(files))


MACHINES: dict[str, type[LoaderMachine]] = {
    "simulated": FirmwareMachine,
    "systemd-boot": SystemdBootMachine,
}
