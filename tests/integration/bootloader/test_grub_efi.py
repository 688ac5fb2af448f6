# SPDX-License-Identifier: Apache-2.0
"""grub.cfg under UEFI: found by the three lines of docs/boot-control.md, it starts a UKI."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from bootloader.backend import Entry
from bootloader.slot import BootFileKind
from tests.integration.bootloader.grub_in_qemu import GRUB_CFG, Disk, run, watch
from tests.unit.bootloader.machine_grub import GrubMachine

DOCUMENT: Final = Path("docs/boot-control.md")
FIRMWARE: Final = Path("/usr/share/OVMF")
MODULES: Final = (
    *("part_gpt", "fat", "normal", "configfile", "loadenv", "test", "echo", "true", "linux"),
    *("chain", "sleep", "reboot", "regexp", "serial", "terminal"),
)
SERIAL: Final = "serial --unit=0\nterminal_output serial\n"


def make_program(path: Path, script: str) -> None:
    """An EFI program: GRUB with a script of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    config = path.with_name("embedded.cfg")
    config.write_text(SERIAL + script)
    run("grub-mkimage", "-O", "x86_64-efi", "-p", "/grub", "-c", config, "-o", path, *MODULES)
    config.unlink()


def lines_of_the_document() -> str:
    found = re.search(r"```\n(regexp .*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_uki_is_started_and_counted_under_uefi(tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = GrubMachine(folder)
    shutil.copy(GRUB_CFG, machine.boot / "grub/grub.cfg")
    make_program(machine.boot / "EFI/BOOT/BOOTX64.EFI", lines_of_the_document())
    make_program(machine.boot / "puad/b/uki", 'echo "this is the UKI"\nreboot\n')
    machine.backend().arm("b", 2, Entry(frozenset({BootFileKind.UKI}), ""))
    disk = Disk(tmp_path, machine.boot)
    variables, serial = tmp_path / "variables", tmp_path / "serial"
    shutil.copy(FIRMWARE / "OVMF_VARS_4M.fd", variables)
    argv = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256"]
    argv += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{serial}"]
    code = FIRMWARE / "OVMF_CODE_4M.fd"
    argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
    argv += ["-drive", f"if=pflash,format=raw,file={variables}"]
    argv += ["-drive", f"if=virtio,format=raw,file={disk.path}"]
    console = watch(argv, serial)
    assert "puad: slot b" in console
    assert "this is the UKI" in console.partition("puad: slot b")[2]
    assert machine.power_on() == "b"
    assert disk.read()["grub/grubenv"] == machine.grubenv.read_bytes()
