# SPDX-License-Identifier: Apache-2.0
"""What is harmless in a file system after a power cut, and what is not, on real ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.powercut.fat import Fat
from tests.powercut.file_systems import HARMLESS_FAT, OF_THE_TARGET, check_ext4, check_fat

INCOMPLETE, TWO_NAMES = OF_THE_TARGET


@pytest.fixture
def esp(tmp_path: Path) -> Path:
    image, file = tmp_path / "esp.img", tmp_path / "file"
    file.write_bytes(b"kernel" * 5000)
    command = ["mkfs.vfat", "-F16", "-C", str(image), "16384"]
    subprocess.run(command, check=True, capture_output=True)
    folders = ["::puad", "::puad/a", "::puad/b", "::loader", "::loader/entries"]
    subprocess.run(["mmd", "-i", image, *folders], check=True)
    for path in ("puad/a/linux", "puad/b/linux", "loader/entries/puad-b+1.conf"):
        subprocess.run(["mcopy", "-i", image, file, f"::{path}"], check=True)
    return image


def table_at(image: Path, cluster: int) -> int:
    with image.open("rb") as file:
        reserved = int.from_bytes(file.read(16)[14:16], "little")
    return reserved * 512 + cluster * 2


def free_first_cluster(image: Path, path: str) -> None:
    """Free a file's first cluster in both tables, as a removal does that was cut short."""
    with Fat(image) as fat:
        cluster = fat.find(path).cluster
    with image.open("r+b") as file:
        sectors = int.from_bytes(file.read(24)[22:24], "little")
        for copy in (0, sectors * 512):
            file.seek(table_at(image, cluster) + copy)
            file.write(b"\0\0")


def test_check_fat_of_a_sound_one_finds_nothing(esp: Path) -> None:
    assert check_fat(esp, "b") == ([], set())


def test_check_fat_names_the_dirty_bit(esp: Path) -> None:
    with esp.open("r+b") as file:
        file.seek(0x25)
        file.write(b"\x01")

    assert check_fat(esp, "b") == ([], {"dirty bit"})


@pytest.mark.parametrize("path", ["puad/b/linux", "loader/entries/puad-b+1.conf"])
def test_check_fat_takes_an_incomplete_file_of_the_target(esp: Path, path: str) -> None:
    free_first_cluster(esp, path)

    wrong, harmless = check_fat(esp, "b")

    assert wrong == []
    assert INCOMPLETE in harmless


@pytest.mark.parametrize("path", ["puad/a/linux"])
def test_check_fat_does_not_take_an_incomplete_file_of_the_fallback(esp: Path, path: str) -> None:
    free_first_cluster(esp, path)

    wrong, _ = check_fat(esp, "b")

    assert any("/PUAD/A/linux" in line or "/PUAD/A/LINUX" in line for line in wrong)
    assert any("free cluster" in line for line in wrong)


@pytest.mark.parametrize(("other", "harmless"), [("puad/b/initrd", True), ("puad/a/initrd", False)])
def test_check_fat_takes_two_names_only_within_the_target(
    esp: Path, other: str, *, harmless: bool
) -> None:
    subprocess.run(["mcopy", "-i", esp, f"{esp.parent}/file", f"::{other}"], check=True)
    with Fat(esp) as fat:
        first, second = fat.find("puad/b/linux").cluster, fat.find(other).cluster
    data = bytearray(esp.read_bytes())
    entry = data.index(b"INITRD     ")
    assert int.from_bytes(data[entry + 26 : entry + 28], "little") == second
    data[entry + 26 : entry + 28] = first.to_bytes(2, "little")
    esp.write_bytes(data)

    wrong, found = check_fat(esp, "b")

    assert (TWO_NAMES in found) == harmless
    assert (wrong == []) == harmless


def test_harmless_findings_have_different_names() -> None:
    assert not set(HARMLESS_FAT) & set(OF_THE_TARGET)


def test_check_ext4_finds_a_broken_inode_table_and_nothing_in_a_sound_one(tmp_path: Path) -> None:
    image = tmp_path / "persist.img"
    command = ["mkfs.ext4", "-q", "-O", "^metadata_csum", str(image), "16M"]
    subprocess.run(command, check=True, capture_output=True)
    assert check_ext4(image) == ([], set())

    command = ["debugfs", "-w", "-R", "clri <11>", str(image)]
    subprocess.run(command, check=True, capture_output=True)

    wrong, _ = check_ext4(image)
    assert wrong
