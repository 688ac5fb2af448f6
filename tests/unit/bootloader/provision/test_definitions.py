# SPDX-License-Identifier: Apache-2.0
"""The definitions of one run, made from the ones that the package ships."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from bootloader.config import DeviceSettings
from bootloader.provision.definitions import Contents, write_definitions
from bootloader.provision.layout import ROLES, labels
from bootloader.provision.refusal import ProvisionError

SHIPPED = Path(__file__).parents[4] / "packaging/repart.d"
ID = uuid.UUID(int=7)


def contents() -> dict[str, Contents]:
    return {label: Contents(ID) for label in labels(DeviceSettings()).values()}


def test_definitions_shipped_have_a_label_for_each_role(tmp_path: Path) -> None:
    write_definitions(SHIPPED, tmp_path / "made", contents())
    assert len(list((tmp_path / "made").glob("*.conf"))) == len(ROLES)


def test_drop_in_has_what_belongs_to_this_disk(tmp_path: Path) -> None:
    given = contents() | {"persist": Contents(ID, 1 << 30, tree=Path("/run/tree"))}
    write_definitions(SHIPPED, tmp_path / "made", given)
    (drop_in,) = (tmp_path / "made").glob("*-40-persist.conf.d/*")
    assert drop_in.read_text().splitlines() == [
        "[Partition]",
        f"UUID={ID}",
        "SizeMinBytes=1073741824",
        "SizeMaxBytes=1073741824",
        "CopyFiles=/run/tree:/",
    ]


def test_partitions_that_exist_come_first_in_the_order_of_the_disk(tmp_path: Path) -> None:
    write_definitions(SHIPPED, tmp_path / "made", contents(), there=["rootfs_b", "mine", "esp"])
    names = sorted(path.name for path in (tmp_path / "made").glob("*.conf"))
    assert [name.split("-", 2)[2] for name in names[:2]] == ["rootfs-b.conf", "esp.conf"]
    assert len(names) == len(ROLES)


def test_partition_left_out_has_no_definition(tmp_path: Path) -> None:
    given = contents()
    del given["persist"]
    write_definitions(SHIPPED, tmp_path / "made", given, left_out=["persist"])
    assert not list((tmp_path / "made").glob("*-40-*"))


def test_label_without_a_definition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="no definition has Label=system_a"):
        write_definitions(SHIPPED, tmp_path / "made", {"system_a": Contents(ID)})


def test_definitions_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="cannot be read"):
        write_definitions(tmp_path / "none", tmp_path / "made", contents())
