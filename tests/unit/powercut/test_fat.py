# SPDX-License-Identifier: Apache-2.0
"""The FAT reader, against file systems that Debian's tools made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.powercut.fat import Fat, FatError

DATA = os.urandom(70_001)


def make(folder: Path, *options: str, kib: int = 8192) -> Path:
    image, file = folder / "esp.img", folder / "data"
    file.write_bytes(DATA)
    command = ["mkfs.vfat", "-C", *options, str(image), str(kib)]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(["mmd", "-i", image, "::loader", "::loader/entries"], check=True)
    for name in ("puad-b+3-1.conf", "PLAIN.TXT", "linux"):
        subprocess.run(["mcopy", "-i", image, file, f"::loader/entries/{name}"], check=True)
    return image


@pytest.mark.parametrize(
    ("options", "kib"), [(("-F12",), 2048), (("-F16",), 16384), (("-F32",), 40960)]
)
def test_read_gives_every_byte_by_the_long_name(
    tmp_path: Path, options: tuple[str, ...], kib: int
) -> None:
    with Fat(make(tmp_path, *options, kib=kib)) as fat:
        names = sorted(node.name for node in fat.folder("loader/entries"))

        assert names == ["PLAIN.TXT", "linux", "puad-b+3-1.conf"]
        assert fat.read(fat.find("LOADER/entries/Puad-b+3-1.conf")) == DATA


def test_read_of_a_chain_that_runs_in_a_circle_is_refused(tmp_path: Path) -> None:
    image = make(tmp_path, "-F16", kib=16384)
    with Fat(image) as fat:
        node = fat.find("loader/entries/linux")
    with image.open("r+b") as file:
        reserved = int.from_bytes(file.read(16)[14:16], "little")
        file.seek(reserved * 512 + node.cluster * 2)
        file.write((node.cluster + 60000).to_bytes(2, "little"))

    with Fat(image) as fat, pytest.raises(FatError):
        fat.read(fat.find("loader/entries/linux"))


def test_read_of_a_chain_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    image = make(tmp_path, "-F16", kib=16384)
    with Fat(image) as fat:
        node = fat.find("loader/entries/linux")
    with image.open("r+b") as file:
        reserved = int.from_bytes(file.read(16)[14:16], "little")
        file.seek(reserved * 512 + node.cluster * 2)
        file.write(b"\xff\xff")

    with Fat(image) as fat, pytest.raises(FatError, match="ends after"):
        fat.read(fat.find("loader/entries/linux"))


@pytest.mark.parametrize("damage", [b"", b"\0" * 512, b"\xff" * 512])
def test_fat_of_no_boot_sector_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "esp.img").write_bytes(damage)

    with pytest.raises(FatError):
        Fat(tmp_path / "esp.img")


def test_find_of_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with Fat(make(tmp_path)) as fat:
        for path in ("loader/nothing", "nothing/at/all", "loader/entries/linux/deeper"):
            with pytest.raises(FatError):
                fat.find(path)
