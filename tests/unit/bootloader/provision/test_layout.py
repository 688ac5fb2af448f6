# SPDX-License-Identifier: Apache-2.0
"""Ids and sizes of a node's disk."""

from __future__ import annotations

import uuid

import pytest

from bootloader.provision.layout import ROLES, Ids, parse_size, persist_id

SEED = uuid.UUID("f0b6f5b2-3d0e-4a61-9d0e-6f5c9d1e2a33")


def test_ids_of_one_seed_are_equal_and_all_different() -> None:
    first, second = Ids.from_seed(SEED), Ids.from_seed(SEED)
    assert first == second
    assert len({*first.partitions.values()}) == len(ROLES)
    assert Ids.from_seed(uuid.uuid4()).partitions != first.partitions


def test_command_line_names_this_disks_partitions() -> None:
    ids = Ids.from_seed(SEED)
    template = "root=PARTUUID={root_id} {esp_id} {persist_id} {machine_id} puad.slot={slot}"
    line = ids.command_line(template)
    parts = ids.partitions
    assert line == (
        f"root=PARTUUID={parts['a']} {parts['esp']} {parts['persist']} {ids.machine_id} puad.slot=a"
    )


def test_machine_id_given_is_kept() -> None:
    assert Ids.from_seed(SEED, "firmware").machine_id == "firmware"


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("512M", 512 << 20), ("4g", 4 << 30), ("1T", 1 << 40)]
)
def test_size_given_with_a_unit_is_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-4G", "4.5G", "4GB", "four", "4 G"])
def test_size_that_is_none_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size: write .* like 4G"):
        parse_size(text)


@pytest.mark.parametrize("text", ["1000", "1K", "4097"])
def test_size_that_no_partition_can_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text} is no multiple of 4 KiB$"):
        parse_size(text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"ro systemd.mount-extra=PARTUUID={SEED}:/persist:ext4:nodev quiet", SEED),
        (f"systemd.mount-extra=PARTUUID={SEED}:/efi:vfat", None),
        (f"systemd.mount-extra=UUID={SEED}:/persist:ext4", None),
        ("systemd.mount-extra=PARTUUID=none:/persist:ext4", None),
        ("systemd.mount-extra=/dev/vda4:/persist", None),
        ("", None),
    ],
)
def test_persist_id_is_what_the_kernel_was_told_to_mount(
    line: str, found: uuid.UUID | None
) -> None:
    assert persist_id(line) == found
