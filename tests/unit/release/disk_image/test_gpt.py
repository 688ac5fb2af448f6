# SPDX-License-Identifier: Apache-2.0
"""The reader of partition tables, against tables of Debian's tools, whole and damaged."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from orchestrator_stub.release.disk_image.errors import GptError
from orchestrator_stub.release.disk_image.gpt import Partition, find_sector_size, read_partitions
from puad.core.extent import Extent
from tests.unit.release.disk_image.made_disk import (
    ESP,
    ESP_ID,
    LINUX,
    MIB,
    ROOT_ID,
    Part,
    make_disk,
    reader,
)

PARTS = [
    Part("esp", ESP, b"\1" * MIB, ESP_ID),
    Part("Würzel 根", LINUX, b"\2" * (2 * MIB + 8192), ROOT_ID),
]


@pytest.fixture(scope="module", params=[(512, "sgdisk"), (512, "sfdisk"), (4096, "sfdisk")])
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gpt") / "disk.raw"
    sector, tool = request.param
    return make_disk(path, PARTS, sector=sector, tool=tool).read_bytes()


def read(data: bytes) -> tuple[Partition, ...]:
    return read_partitions(reader(data), len(data))


def signed_anew(data: bytearray, sector: int) -> bytes:
    """The same with both checksums made right again."""
    size, place, count, each = header(data, sector)
    table = data[place : place + count * each]
    struct.pack_into("<I", data, sector + 88, zlib.crc32(table))
    struct.pack_into("<I", data, sector + 16, 0)
    struct.pack_into("<I", data, sector + 16, zlib.crc32(data[sector : sector + size]))
    return bytes(data)


def header(data: bytes | bytearray, sector: int) -> tuple[int, int, int, int]:
    (size,) = struct.unpack_from("<I", data, sector + 12)
    block, count, each = struct.unpack_from("<QII", data, sector + 72)
    return size, block * sector, count, each


def sector_of(data: bytes) -> int:
    sector = find_sector_size(reader(data))
    assert sector is not None
    return sector


def test_read_partitions_gives_what_the_tool_was_told(disk: bytes) -> None:
    one, other = read(disk)
    assert (one.number, one.label, str(one.type_id), str(one.own_id)) == (1, "esp", ESP, ESP_ID)
    assert (other.number, other.label, str(other.own_id)) == (2, "Würzel 根", ROOT_ID)
    assert str(other.type_id) == LINUX
    for part, found in zip(PARTS, (one, other), strict=True):
        assert disk[found.extent.offset : found.extent.end] == part.content
    assert one.extent == Extent(MIB, MIB)


def test_read_partitions_with_any_byte_of_the_header_changed_refuses_or_reads_the_same(
    disk: bytes,
) -> None:
    sector, right, refused = sector_of(disk), read(disk), 0
    for place in range(sector, sector + 512):
        damaged = bytearray(disk[: MIB // 4])
        damaged[place] ^= 1 << place % 8
        try:
            found = read_partitions(reader(bytes(damaged)), len(disk))
        except GptError:
            refused += 1
        else:
            assert found == right
    assert refused == 92


def test_read_partitions_with_any_byte_of_the_entries_changed_refuses(disk: bytes) -> None:
    sector = sector_of(disk)
    _, start, count, each = header(disk, sector)
    places = [*range(start, start + 2 * each), *random.Random(1).sample(range(count * each), 99)]
    for place in places:
        damaged = bytearray(disk[: MIB // 4])
        damaged[start + place % (count * each)] ^= 0x10
        with pytest.raises(GptError, match="checksum"):
            read_partitions(reader(bytes(damaged)), len(disk))


@pytest.mark.parametrize(
    ("place", "form", "value"),
    [
        (8, "<I", 0x00020000),  # a later revision
        (12, "<I", 91),  # a header that is too short
        (12, "<I", 5000),  # longer than its block
        (24, "<Q", 2),  # the header of another block
        (40, "<Q", 1 << 40),  # first usable block behind the last
        (48, "<Q", 1 << 40),  # last usable block behind the disk
        (48, "<Q", (1 << 64) - 1),
        (72, "<Q", 1),  # entries over the header
        (72, "<Q", 1 << 63),  # entries behind the disk
        (80, "<I", 0),  # no entries
        (80, "<I", 1025),  # too many
        (84, "<I", 127),  # entries of a size that there is not
        (84, "<I", 1 << 31),
    ],
)
def test_read_partitions_with_right_checksums_over_numbers_out_of_bounds_refuses(
    disk: bytes, place: int, form: str, value: int
) -> None:
    sector, changed = sector_of(disk), bytearray(disk)
    size, *_ = header(disk, sector)
    struct.pack_into(form, changed, sector + place, value)
    struct.pack_into("<I", changed, sector + 16, 0)
    struct.pack_into("<I", changed, sector + 16, zlib.crc32(changed[sector : sector + size]))
    with pytest.raises(GptError):
        read(bytes(changed))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (32, 0),  # the first one begins in front of what is usable
        (32, 1 << 60),  # … behind the disk
        (40, (1 << 64) - 1),  # it ends behind the disk
        (40, 1),  # … before it begins
        (128 + 32, None),  # the second one begins within the first
    ],
)
def test_read_partitions_outside_the_disk_or_over_one_another_refuses(
    disk: bytes, place: int, value: int | None
) -> None:
    sector, changed = sector_of(disk), bytearray(disk)
    _, start, *_ = header(disk, sector)
    value = MIB // sector + 1 if value is None else value
    struct.pack_into("<Q", changed, start + place, value)
    with pytest.raises(GptError):
        read(signed_anew(changed, sector))


@pytest.mark.parametrize("length", [0, 511, 512, 600, 1023, 4096, 4100, 9000, 3 * MIB])
def test_read_partitions_of_a_disk_that_is_cut_off_refuses(disk: bytes, length: int) -> None:
    with pytest.raises(GptError):
        read(disk[:length])


@pytest.mark.parametrize("data", [b"", b"\0" * 9000, b"\xff" * 9000])
def test_find_sector_size_of_no_disk_is_none(data: bytes) -> None:
    assert find_sector_size(reader(data)) is None
    with pytest.raises(GptError, match="no GUID partition table"):
        read(data)
