# SPDX-License-Identifier: Apache-2.0
"""The partition table of a node's own disk, as boot control reads and changes it.

Bit 0 of the flags: the checksums of both copies are made right first. Bits 1 to 3: which partition.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from uuid import UUID

from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.partition_table import set_partition_id
from orchestrator_stub.release.disk_image.errors import GptError
from orchestrator_stub.release.disk_image.gpt import Partition, read_partitions
from tests.fuzz.gpt import mend_checksums
from tests.fuzz.sparse_disk import SparseDisk, mutate_disk, parse_disk
from tests.fuzz.target import Target

_NEW_ID = "99999999-2222-4333-8444-555555555555"
_MAX_DISK_BYTES = 64 << 20
_SECTOR_BYTES = 512


class _Recorder(Files):
    """Takes down what would be written."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, bytes]] = []

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        self.writes.append((offset, data))


def check_boot_gpt(data: bytes) -> str:
    disk = parse_disk(data)
    disk.size %= _MAX_DISK_BYTES
    if disk.flags & 1:
        mend_checksums(disk)
    number = 1 + (disk.flags >> 1 & 7)
    recorder = _Recorder()
    try:
        set_partition_id(_put_on_file(disk), number, _NEW_ID, recorder)
    except BootloaderError as error:
        assert error.name is ErrorName.STORAGE_FAILED
        assert not recorder.writes
        return error.what
    before = _partitions(disk)
    _check_writes(disk, recorder.writes, before)
    after = _partitions(disk)
    if before is None:
        again = _Recorder()
        set_partition_id(_put_on_file(disk), number, _NEW_ID, again)
        # The backup may have had its entries elsewhere; the primary copy has one place.
        assert again.writes[2:] == recorder.writes[2:], "what was written is not what is read"
        return "the id was changed where the publisher's reader finds no table"
    assert after is not None, "a table that was whole is not any more"
    assert [replace(p, own_id=UUID(_NEW_ID)) if p.number == number else p for p in before] == after
    return "the id was changed"


def _check_writes(
    disk: SparseDisk, writes: list[tuple[int, bytes]], partitions: list[Partition] | None
) -> None:
    """Both copies lie on the disk, over no partition, and neither over the other."""
    assert len(writes) == 4
    ends = [
        (offset, offset + -(-len(data) // _SECTOR_BYTES) * _SECTOR_BYTES) for offset, data in writes
    ]
    assert all(_SECTOR_BYTES <= start < end <= disk.size for start, end in ends)
    in_place = sorted(ends + [(p.extent.offset, p.extent.end) for p in partitions or ()])
    assert all(one[1] <= other[0] for one, other in pairwise(in_place))
    for offset, data in writes:
        disk.write(offset, data)


def _partitions(disk: SparseDisk) -> list[Partition] | None:
    """What another reader finds; None where it finds no table."""
    try:
        return list(read_partitions(disk.peek, disk.size))
    except GptError:
        return None


@functools.cache
def _file() -> int:
    return os.memfd_create("disk")


def _put_on_file(disk: SparseDisk) -> Path:
    """A file with the disk's bytes."""
    fd = _file()
    os.ftruncate(fd, 0)
    os.ftruncate(fd, disk.size)
    for offset, data in disk.records:
        if offset < disk.size:
            os.pwrite(fd, data[: disk.size - offset], offset)
    return Path(f"/proc/self/fd/{fd}")


BOOT_GPT = Target("boot-gpt", check_boot_gpt, mutate_disk)
