# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import zlib
from pathlib import Path

import pytest

from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.partition_table import set_partition_id
from tests.unit.bootloader.machines import Cut, CutFiles, PowerCut

ONE, TWO, NEW = (f"{n * 8}-2222-3333-4444-555555555555" for n in "129")
GPT = f"label: gpt\nsize=1MiB, uuid={ONE}, name=rootfs_a\nsize=1MiB, uuid={TWO}, name=rootfs_b\n"
DISK_BYTES = 8 << 20
PRIMARY = slice(512, 34 * 512)
BACKUP = slice(DISK_BYTES - 33 * 512, DISK_BYTES)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.touch()
    os.truncate(path, DISK_BYTES)
    subprocess.run(["/usr/sbin/sfdisk", "--quiet", path], input=GPT.encode(), check=True)
    return path


def ids(disk: Path) -> list[str]:
    """What another program reads; it takes the backup when the primary copy is broken."""
    command: list[str | Path] = ["/usr/sbin/sfdisk", "--dump", disk]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [
        line.split("uuid=")[1].split(",")[0].lower()
        for line in shown.splitlines()
        if "uuid=" in line
    ]


def spoil(disk: Path, place: slice) -> None:
    data = bytearray(disk.read_bytes())
    data[place.start + 20] ^= 0xFF
    data[place.stop - 20] ^= 0xFF
    disk.write_bytes(data)


def test_set_partition_id_changes_both_copies_and_nothing_else(disk: Path) -> None:
    before = disk.read_bytes()
    set_partition_id(disk, 2, NEW, Files())
    assert ids(disk) == [ONE, NEW]
    check = subprocess.run(
        ["/usr/sbin/sgdisk", "-v", disk], check=True, capture_output=True, text=True
    )
    assert "No problems found" in check.stdout
    after = disk.read_bytes()
    assert after[: PRIMARY.start] == before[: PRIMARY.start]
    assert after[PRIMARY.stop : BACKUP.start] == before[PRIMARY.stop : BACKUP.start]
    spoil(disk, PRIMARY)
    assert ids(disk) == [ONE, NEW]


@pytest.mark.parametrize("how", Cut)
def test_power_cut_leaves_one_whole_copy(disk: Path, how: Cut) -> None:
    before = disk.read_bytes()
    for at in range(4):
        disk.write_bytes(before)
        with pytest.raises(PowerCut):
            set_partition_id(disk, 2, NEW, CutFiles(at, how))
        assert ids(disk) in ([ONE, TWO], [ONE, NEW])
        set_partition_id(disk, 2, NEW, Files())  # the next try mends what is torn
        assert ids(disk) == [ONE, NEW]
    set_partition_id(disk, 2, NEW, CutFiles(4, how))  # there is no fifth write


def test_set_partition_id_with_a_broken_primary_copy_goes_by_the_backup(disk: Path) -> None:
    spoil(disk, PRIMARY)
    set_partition_id(disk, 1, NEW, Files())
    spoil(disk, BACKUP)
    assert ids(disk) == [NEW, TWO]


def test_set_partition_id_with_a_broken_backup_mends_it(disk: Path) -> None:
    spoil(disk, BACKUP)
    set_partition_id(disk, 1, NEW, Files())
    spoil(disk, PRIMARY)
    assert ids(disk) == [NEW, TWO]


@pytest.mark.parametrize("number", [0, 129, 1000])
def test_set_partition_id_of_no_partition_is_refused(disk: Path, number: int) -> None:
    before = disk.read_bytes()
    with pytest.raises(BootloaderError) as caught:
        set_partition_id(disk, number, NEW, Files())
    assert caught.value.name is ErrorName.STORAGE_FAILED
    assert disk.read_bytes() == before


def test_set_partition_id_without_a_whole_copy_writes_nothing(disk: Path) -> None:
    spoil(disk, PRIMARY)
    spoil(disk, BACKUP)
    before = disk.read_bytes()
    with pytest.raises(BootloaderError):
        set_partition_id(disk, 2, NEW, Files())
    assert disk.read_bytes() == before


def point_backup_at(disk: Path, lba: int) -> None:
    """Have the primary header, whole as ever, say that the backup stands there."""
    change_header(disk, 512, 32, lba)


def change_header(disk: Path, header: int, field: int, number: int, width: int = 8) -> None:
    """Have the header at that offset, whole as ever, say another number."""
    data = bytearray(disk.read_bytes())
    data[header + field : header + field + width] = number.to_bytes(width, "little")
    data[header + 16 : header + 20] = bytes(4)
    checksum = zlib.crc32(data[header : header + 92]).to_bytes(4, "little")
    data[header + 16 : header + 20] = checksum
    disk.write_bytes(data)


@pytest.mark.parametrize("lba", [3, 2048, 3000, 4095, 4100, 6000])
def test_set_partition_id_never_writes_a_copy_into_a_partition(disk: Path, lba: int) -> None:
    point_backup_at(disk, lba)
    before = disk.read_bytes()
    with pytest.raises(BootloaderError, match="would come to lie in a partition"):
        set_partition_id(disk, 2, NEW, Files())
    assert disk.read_bytes() == before


SECTORS = DISK_BYTES // 512


@pytest.mark.parametrize("lba", [SECTORS, SECTORS + 31, 1 << 40, 1 << 62, (1 << 64) - 1])
def test_set_partition_id_never_writes_a_copy_beyond_the_disk(disk: Path, lba: int) -> None:
    point_backup_at(disk, lba)
    before = disk.read_bytes()
    with pytest.raises(BootloaderError, match="side by side"):
        set_partition_id(disk, 2, NEW, Files())
    assert disk.read_bytes() == before


@pytest.mark.parametrize("lba", [2, 4, 33, SECTORS - 2])
def test_set_partition_id_never_writes_a_copy_over_the_other_one(disk: Path, lba: int) -> None:
    spoil(disk, PRIMARY)
    change_header(disk, DISK_BYTES - 512, 32, lba)
    before = disk.read_bytes()
    with pytest.raises(BootloaderError, match="side by side"):
        set_partition_id(disk, 2, NEW, Files())
    assert disk.read_bytes() == before


@pytest.mark.parametrize("lba", [SECTORS, 1 << 40, 1 << 55, 1 << 60, (1 << 64) - 1])
def test_set_partition_id_with_entries_beyond_the_disk_goes_by_the_other_copy(
    disk: Path, lba: int
) -> None:
    change_header(disk, 512, 72, lba)
    set_partition_id(disk, 2, NEW, Files())
    assert ids(disk) == [ONE, NEW]


@pytest.mark.parametrize("entry_bytes", [127, 129, 192])
def test_set_partition_id_with_entries_of_no_sound_size_goes_by_the_other_copy(
    disk: Path, entry_bytes: int
) -> None:
    before = disk.read_bytes()
    set_partition_id(disk, 2, NEW, Files())
    wanted = disk.read_bytes()
    disk.write_bytes(before)
    table = before[1024 : 1024 + 64 * entry_bytes]
    change_header(disk, 512, 80, 64, 4)
    change_header(disk, 512, 84, entry_bytes, 4)
    change_header(disk, 512, 88, zlib.crc32(table), 4)
    set_partition_id(disk, 2, NEW, Files())
    assert disk.read_bytes() == wanted
