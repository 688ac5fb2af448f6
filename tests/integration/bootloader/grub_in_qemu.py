# SPDX-License-Identifier: Apache-2.0
"""GRUB itself in QEMU, on a disk made of a folder; what it chose and what it left on the disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.integration.bootloader.stub_kernel import stub_kernel

GRUB_CFG: Final = Path("bootloader/grub/grub.cfg")
NOTHING: Final = "puad: no slot can be booted"
_MODULES: Final = (
    *("biosdisk", "part_gpt", "fat", "ext2", "normal", "configfile", "loadenv", "test", "echo"),
    *("true", "linux", "chain", "sleep", "reboot", "serial", "terminal", "minicmd", "regexp"),
)
_FIRST_CFG: Final = """
serial --unit=0
terminal_output serial
set root=(hd0,gpt1)
configfile /grub/grub.cfg
"""
_START: Final = 1 << 20
_DISK_BYTES: Final = 16 << 20
_PARTITION_BYTES: Final = 14 << 20
_LIMIT_S: Final = 120


@dataclass(frozen=True)
class Boot:
    """What one power-on came to.

    Attributes:
        kernel: What the stub kernel wrote; empty when none was started.
        console: What GRUB wrote.
    """

    kernel: str
    console: str

    @property
    def slot(self) -> str | None:
        return self.kernel.partition("|")[0] or None

    @property
    def initrd(self) -> str:
        return self.kernel.split("|", 2)[1]

    @property
    def command_line(self) -> str:
        return self.kernel.split("|", 2)[2].removesuffix("\n")


def run(*argv: object) -> None:
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, timeout=_LIMIT_S)


def make_grub(folder: Path) -> Path:
    """GRUB for a PC, as a kernel for QEMU; it reads /grub/grub.cfg of the first disk."""
    (folder / "first.cfg").write_text(_FIRST_CFG)
    core = folder / "core.img"
    head = ["grub-mkimage", "-O", "i386-pc", "-p", "/grub", "-c", folder / "first.cfg", "-o", core]
    run(*head, *_MODULES)
    grub = folder / "grub.lnx"
    grub.write_bytes(Path("/usr/lib/grub/i386-pc/lnxboot.img").read_bytes() + core.read_bytes())
    return grub


@cache
def _blank_fat() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk.img"
        with disk.open("wb") as file:
            file.truncate(_DISK_BYTES)
        run("sgdisk", "-n", f"1:{_START // 512}:0", "-t", "1:ef00", disk)
        run("mkfs.vfat", "--offset", _START // 512, disk, _PARTITION_BYTES >> 10)
        return disk.read_bytes()


class Disk:
    """A disk with one partition, FAT or ext4, whose files are those of a folder."""

    def __init__(self, folder: Path, files: Path, *, ext4: bool = False) -> None:
        self.path = folder / "disk.img"
        self._folder = folder
        self._ext4 = ext4
        if ext4:
            partition = folder / "partition.img"
            run("mkfs.ext4", "-q", "-d", files, partition, f"{_PARTITION_BYTES >> 10}k")
            with self.path.open("wb") as disk:
                disk.truncate(_DISK_BYTES)
                disk.seek(_START)
                disk.write(partition.read_bytes())
            run("sgdisk", "-n", f"1:{_START // 512}:0", "-t", "1:ef00", self.path)
        else:
            self.path.write_bytes(_blank_fat())
            name = f"{self.path}@@{_START}"
            run("mcopy", "-s", "-i", name, *sorted(files.iterdir()), "::")

    def read(self) -> dict[str, bytes]:
        """Every file, by its path."""
        found = self._folder / "found"
        shutil.rmtree(found, ignore_errors=True)
        found.mkdir()
        if self._ext4:
            partition = self._folder / "partition.img"
            data = self.path.read_bytes()[_START : _START + _PARTITION_BYTES]
            partition.write_bytes(data)
            run("debugfs", "-R", f"rdump / {found}", partition)
        else:
            run("mcopy", "-s", "-i", f"{self.path}@@{_START}", "::*", found)
        return files_of(found)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path; what a file system adds of its own is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "lost+found" not in path.parts
    }


def power_on(disk: Disk, *machine: object) -> Boot:
    """One boot, to the reset by the stub kernel or to where GRUB gives up."""
    debug, serial = disk.path.with_name("debug"), disk.path.with_name("serial")
    debug.write_bytes(b"")
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none"]
    argv += ["-no-reboot", "-serial", f"file:{serial}", "-debugcon", f"file:{debug}"]
    # no IDE: the firmware may wait 32 s for a drive of that kind
    argv += ["-drive", f"file={disk.path},format=raw,if=virtio", *map(str, machine)]
    console = watch(argv, serial)
    return Boot(debug.read_text("latin-1"), console)


def watch(argv: list[str], serial: Path) -> str:
    """Run QEMU until the machine resets or its boot loader gives up; what stands on the console."""
    serial.write_bytes(b"")
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as process:
        try:
            until = time.monotonic() + _LIMIT_S
            while process.poll() is None and NOTHING.encode() not in serial.read_bytes():
                if time.monotonic() > until:
                    raise AssertionError(f"neither booted nor gave up: {serial.read_bytes()!r}")
                time.sleep(0.02)
        finally:
            process.kill()
    return serial.read_text("latin-1")


def put_kernels(boot: Path) -> None:
    """Let every kernel that is there be one which tells its slot, and grub.cfg the real one."""
    for slot in ("a", "b"):
        path = boot / "puad" / slot / "linux"
        if path.exists() and path.stat().st_size:
            path.write_bytes(stub_kernel(slot))
    shutil.copy(GRUB_CFG, boot / "grub/grub.cfg")
