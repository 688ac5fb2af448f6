# SPDX-License-Identifier: Apache-2.0
"""The ESP's first contents, read by the back end that will keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootloader import backends, config
from bootloader.backend import Backend, Setup
from bootloader.provision.esp import lay_esp
from bootloader.provision.refusal import ProvisionError
from bootloader.slot import Assessment, BootFileKind
from bootloader.tables import Section
from tests.unit.bootloader.provision.efi_program import efi_program

KEYS = {"systemd-boot": "esp", "grub": "boot"}


class Bench:
    """An ESP in a folder."""

    def __init__(self, folder: Path, loader: str) -> None:
        self.folder, self.loader = folder, loader
        self.esp = folder / "esp"
        self.esp.mkdir()
        file = folder / "bootloader.toml"
        file.write_text(f'backend = "{loader}"\n')
        self.settings = config.load(file)
        self.program = folder / "loader.efi"
        self.program.write_bytes(efi_program())

    def lay(self, *kinds: BootFileKind, line: str = "ro puad.slot=a") -> None:
        files = {}
        for kind in kinds:
            files[kind] = self.folder / f"given-{kind}"
            files[kind].write_bytes(f"bytes of {kind}".encode())
        lay_esp(self.esp, self.settings, self.program, files, line)

    def backend(self) -> Backend:
        section = Section({KEYS[self.loader]: str(self.esp)}, "test")
        return backends.create(self.loader, Setup(("a", "b"), self.folder / "run"), section)


@pytest.fixture(params=sorted(KEYS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, request.param)


def test_esp_boots_slot_a_which_is_good_and_knows_no_slot_b(bench: Bench) -> None:
    bench.lay(BootFileKind.LINUX, BootFileKind.INITRD)
    loader = bench.backend()
    loader.check()
    assert (loader.primary(), loader.fallback()) == ("a", "")
    assert loader.status("a").assessment is Assessment.GOOD
    assert not loader.status("b").has_entry
    assert (loader.boot_folder("a") / "linux").read_bytes() == b"bytes of linux"
    assert (loader.boot_folder("a") / "initrd").read_bytes() == b"bytes of initrd"
    assert (bench.esp / "EFI/BOOT/BOOTX64.EFI").read_bytes() == efi_program()


@pytest.mark.parametrize("kind", [BootFileKind.LINUX, BootFileKind.UKI])
def test_esp_has_the_command_line_unless_the_uki_brings_its_own(
    tmp_path: Path, kind: BootFileKind
) -> None:
    texts = []
    for name, line in (("given", "root=PARTUUID=x"), ("own", "")):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, "systemd-boot")
        bench.lay(kind, line=line)
        texts.append((bench.esp / "loader/entries/puad-a.conf").read_text())
    assert "options root=PARTUUID=x\n" in texts[0]
    assert "options" not in texts[1]
    word = "efi" if kind is BootFileKind.UKI else "linux"
    assert all(f"{word} /puad/a/{kind}\n" in text for text in texts)


def test_esp_for_grub_has_its_cfg_and_its_variables(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "grub")
    bench.lay(BootFileKind.LINUX)
    assert "puad_look" in (bench.esp / "grub/grub.cfg").read_text()
    assert (bench.esp / "grub/grubenv").stat().st_size == 1024


def test_esp_with_a_loader_of_another_machine_has_its_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "systemd-boot")
    bench.program.write_bytes(efi_program(0xAA64))
    bench.lay(BootFileKind.LINUX)
    assert [path.name for path in (bench.esp / "EFI/BOOT").iterdir()] == ["BOOTAA64.EFI"]


@pytest.mark.parametrize("data", [b"", b"MZ", b"#!/bin/sh\n" * 40, efi_program(0x1234)])
def test_esp_without_a_known_efi_program_is_refused(tmp_path: Path, data: bytes) -> None:
    bench = Bench(tmp_path, "systemd-boot")
    bench.program.write_bytes(data)
    with pytest.raises(ProvisionError, match="no EFI program"):
        bench.lay(BootFileKind.LINUX)


def test_esp_of_a_program_that_is_too_large_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "systemd-boot")
    with bench.program.open("ab") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ProvisionError, match="the boot loader is larger than 64 MiB"):
        bench.lay(BootFileKind.LINUX)


def test_esp_of_a_loader_that_is_not_there_is_refused_with_where_to_get_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "systemd-boot")
    bench.program.unlink()
    with pytest.raises(ProvisionError) as caught:
        bench.lay(BootFileKind.LINUX)
    assert "systemd-boot-efi" in caught.value.hint


def test_esp_of_a_back_end_without_one_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "u-boot")
    with pytest.raises(ProvisionError, match="back end u-boot") as caught:
        bench.lay(BootFileKind.LINUX)
    assert "it knows grub, systemd-boot" in caught.value.hint


def test_esp_has_the_folders_of_both_slots_from_the_start(bench: Bench) -> None:
    bench.lay(BootFileKind.LINUX)
    assert all(bench.backend().boot_folder(slot).is_dir() for slot in "ab")
