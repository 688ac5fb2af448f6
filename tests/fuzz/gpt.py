# SPDX-License-Identifier: Apache-2.0
"""The partition table, as the publisher reads it of a whole disk.

Bit 0 of the flags: both checksums are made right before it is read, whatever they cover.
"""

from __future__ import annotations

import contextlib
import zlib
from itertools import pairwise

from orchestrator_stub.release.disk_image.choice import choose_esp, choose_root
from orchestrator_stub.release.disk_image.errors import ChoiceError, GptError
from orchestrator_stub.release.disk_image.gpt import Partition, find_sector_size, read_partitions
from tests.fuzz.sparse_disk import SparseDisk, mutate_disk, parse_disk
from tests.fuzz.target import Target

_MAX_READS = 6
_MAX_BYTES_READ = (1 << 20) + (16 << 10)


def check_gpt(data: bytes) -> str:
    disk = parse_disk(data)
    if disk.flags & 1:
        mend_checksums(disk)
    try:
        partitions = read_partitions(disk.read, disk.size)
    except GptError as error:
        assert str(error).isprintable()
        return str(error)
    finally:
        assert disk.reads <= _MAX_READS
        assert disk.bytes_read <= _MAX_BYTES_READ
    _check_places(disk, partitions)
    for wanted in (None, "1", partitions[0].label if partitions else ""):
        with contextlib.suppress(ChoiceError):
            assert choose_root(partitions, wanted) in partitions
    with contextlib.suppress(ChoiceError):
        assert choose_esp(partitions) in {None, *partitions}
    return f"{len(partitions)} partitions"


def _check_places(disk: SparseDisk, partitions: tuple[Partition, ...]) -> None:
    sector = find_sector_size(disk.peek)
    assert sector is not None
    assert [p.number for p in partitions] == sorted({p.number for p in partitions})
    for partition in partitions:
        extent = partition.extent
        assert 2 * sector < extent.offset < extent.end <= disk.size
        assert extent.offset % sector == extent.length % sector == 0
        assert partition.label.isprintable()
        assert len(partition.label) <= 36
    in_place = sorted((p.extent for p in partitions), key=lambda extent: extent.offset)
    assert all(one.end <= other.offset for one, other in pairwise(in_place))


def mend_checksums(disk: SparseDisk) -> None:
    """Make the checksums of each header right, of the entries first."""
    last = disk.size // 512 * 512 - 512
    for sector, place in ((512, 512), (4096, 4096), (512, last)):
        header = disk.peek(place, sector) if place > 0 else b""
        if not header.startswith(b"EFI PART") or len(header) < 92:
            continue
        length, count, each = (int.from_bytes(header[at : at + 4], "little") for at in (12, 80, 84))
        at = int.from_bytes(header[72:80], "little") * sector
        if 0 < count * each <= 1 << 20:
            disk.write(place + 88, zlib.crc32(disk.peek(at, count * each)).to_bytes(4, "little"))
        header = disk.peek(place, min(length, sector))
        blank = header[:16] + bytes(4) + header[20:]
        disk.write(place + 16, zlib.crc32(blank).to_bytes(4, "little"))


GPT = Target("gpt", check_gpt, mutate_disk)
