# SPDX-License-Identifier: Apache-2.0
"""The ESP's first contents: boot loader, boot files of slot a, and its entry, which is good.

The entry is written by the back end itself, so that it is what boot control would have written.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bootloader import backends
from bootloader.backend import Entry, Setup
from bootloader.config import SLOT_NAMES, Settings
from bootloader.provision.refusal import DOCUMENT, ProvisionError
from bootloader.slot import BootFileKind
from bootloader.tables import Section

SYSTEMD_BOOT_FOLDER: Final = Path("/usr/lib/systemd/boot/efi")
# The key of the back end's section that says where the ESP is mounted.
_MOUNT_KEYS: Final = {"systemd-boot": "esp", "grub": "boot"}
_GRUB_CFG: Final = Path(__file__).parent.parent / "grub/grub.cfg"
_MACHINES: Final = {0x014C: "ia32", 0x8664: "x64", 0xAA64: "aa64", 0x5064: "riscv64"}
_LOADER_CONF: Final = "# written by puad-provision\ntimeout 0\neditor no\n"
_MAX_PROGRAM_BYTES: Final = 64 << 20


def lay_esp(
    esp: Path,
    settings: Settings,
    program: Path,
    boot_files: Mapping[BootFileKind, Path],
    command_line: str,
) -> None:
    """Make the tree that the ESP begins with.

    Args:
        esp: The folder, empty.
        settings: Boot control's configuration; it names the back end.
        program: The boot loader, an EFI program.
        boot_files: The boot files of slot a.
        command_line: The kernel command line of slot a; empty for a UKI that brings its own.

    Raises:
        ProvisionError: When a file cannot be read or the back end has no ESP.
        BootloaderError: When the back end cannot write its entry.
    """
    name = settings.general.backend
    _lay_program(esp, name, program)
    table = {_MOUNT_KEYS[name]: str(esp)}
    loader = backends.create(
        name, Setup(SLOT_NAMES, esp.with_name("run")), Section(table, f"[{name}]")
    )
    for slot in SLOT_NAMES:
        # now, for a power cut can leave a folder that is made later on FAT beyond use
        loader.boot_folder(slot).mkdir(parents=True)
    for kind, path in boot_files.items():
        _copy(path, loader.boot_folder("a") / kind)
    loader.arm("a", 1, Entry(frozenset(boot_files), command_line))
    loader.mark_good("a")


def check_program(backend_name: str, program: Path) -> str:
    """The architecture of the boot loader, as EFI names it.

    Raises:
        ProvisionError: When it is no EFI program, or the back end is not started by EFI.
    """
    if backend_name not in _MOUNT_KEYS:
        raise ProvisionError(
            f"puad-provision cannot install the boot loader of the back end {backend_name}",
            on="bootloader.toml",
            hint=f"it knows {', '.join(sorted(_MOUNT_KEYS))}; see {DOCUMENT} for others",
        )
    try:
        with program.open("rb") as file:
            head = file.read(4096)
            size = file.seek(0, 2)
    except OSError as error:
        hint = "give it with --boot-loader; Debian has systemd-boot's in systemd-boot-efi"
        raise ProvisionError(
            f"the boot loader cannot be read: {error.strerror}", on=program, hint=hint
        ) from error
    try:
        at = struct.unpack_from("<I", head, 0x3C)[0]
        signature, machine = struct.unpack_from("<4sH", head, at)
    except struct.error:
        signature, machine = b"", 0
    if head[:2] != b"MZ" or signature != b"PE\0\0" or machine not in _MACHINES:
        raise ProvisionError("this is no EFI program that is known here", on=program)
    if size > _MAX_PROGRAM_BYTES:
        raise ProvisionError(
            f"the boot loader is larger than {_MAX_PROGRAM_BYTES >> 20} MiB", on=program
        )
    return _MACHINES[machine]


def _lay_program(esp: Path, backend_name: str, program: Path) -> None:
    """The boot loader where the firmware looks for it, and what it reads."""
    architecture = check_program(backend_name, program)
    _copy(program, esp / f"EFI/BOOT/BOOT{architecture.upper()}.EFI")
    if backend_name == "grub":
        _copy(_GRUB_CFG, esp / "grub/grub.cfg")
        return
    # where bootctl looks for it, to update it
    _copy(program, esp / f"EFI/systemd/systemd-boot{architecture}.efi")
    (esp / "loader/entries").mkdir(parents=True)
    (esp / "loader/loader.conf").write_text(_LOADER_CONF, encoding="ascii")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        what = f"it cannot be copied: {error.strerror}"
        raise ProvisionError(what, on=source) from error
