# SPDX-License-Identifier: Apache-2.0
"""A unified kernel image: its sections and the root partition that its command line names."""

from __future__ import annotations

from uuid import UUID

from orchestrator_stub.release.disk_image.errors import UkiError
from orchestrator_stub.release.disk_image.uki import read_root_id
from tests.fuzz.sparse_disk import mutate_disk, parse_disk
from tests.fuzz.target import Target

_MAX_SECTIONS = 256
_MAX_BYTES_READ = 128 << 10


def check_uki(data: bytes) -> str:
    disk = parse_disk(data)
    try:
        found = read_root_id(disk.read, disk.size)
    except UkiError as error:
        assert str(error).isprintable()
        return str(error)
    finally:
        assert disk.reads <= 3 + _MAX_SECTIONS
        assert disk.bytes_read <= _MAX_BYTES_READ
    if found is None:
        return "no root partition"
    assert found == str(UUID(found))
    return "a root partition"


UKI = Target("uki", check_uki, mutate_disk)
