# SPDX-License-Identifier: Apache-2.0
"""The reader of partition tables, against a disk that sgdisk made."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.powercut.partitions import GptError, read_table
from tests.powercut.write_log import SECTOR

PARTUUID = "6f7c4b1e-0000-4000-8000-000000000007"
SECTORS = 32768


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(SECTORS * SECTOR)
    options = ["-n1:0:+4M", "-c1:esp", "-n2:0:+4M", "-c2:rootfs_a", f"-u2:{PARTUUID}"]
    subprocess.run(["sgdisk", *options, path], check=True, capture_output=True)
    return path


def reader(disk: Path) -> Callable[[int, int], bytes]:
    data = disk.read_bytes()
    return lambda sector, sectors: data[sector * SECTOR : (sector + sectors) * SECTOR]


@pytest.mark.parametrize("header", [1, SECTORS - 1])
def test_read_table_gives_labels_ids_and_places(disk: Path, header: int) -> None:
    esp, slot = read_table(reader(disk), header)

    assert (esp.number, esp.name, esp.start, esp.end) == (1, "esp", 2048, 2048 + 8192)
    assert (slot.number, slot.name, slot.partuuid) == (2, "rootfs_a", PARTUUID)


@pytest.mark.parametrize("sector", [1, 2])
def test_read_table_with_a_torn_sector_is_refused(disk: Path, sector: int) -> None:
    data = bytearray(disk.read_bytes())
    data[sector * SECTOR + 20] ^= 0xFF
    disk.write_bytes(data)

    with pytest.raises(GptError):
        read_table(reader(disk), 1)
    assert len(read_table(reader(disk), SECTORS - 1)) == 2
