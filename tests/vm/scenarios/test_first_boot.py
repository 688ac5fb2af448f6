# SPDX-License-Identifier: Apache-2.0
"""The first boot of a disk that came from a factory with ESP and slot a only."""

from __future__ import annotations

import json
from pathlib import Path

from tests.vm.harness.bench import FIRST, Bench, Kind
from tests.vm.harness.node import Node

_LABELS = ["esp", "rootfs_a", "rootfs_b", "persist"]


def test_factory_disk_gets_slot_b_and_its_persistent_partition_and_reports(
    bench: Bench, nodes: list[Node], kind: Kind, tmp_path: Path
) -> None:
    node = bench.factory(kind, bench.image(kind, FIRST), tmp_path / "node", whole=False)
    nodes.append(node)
    node.power_on()
    node.wait_good("a")
    parts = json.loads(node.guest_output("sfdisk", "--json", "/dev/vda"))["partitiontable"]
    sizes = {part["name"]: part["size"] for part in parts["partitions"]}
    assert sorted(sizes) == sorted(_LABELS)
    assert sizes["rootfs_a"] == sizes["rootfs_b"]
    persist = ("findmnt", "--noheadings", "--output", "PARTLABEL", "/persist")
    assert node.guest_output(*persist).strip() == "persist"
    node.bring_files()
    node.wait_status("UP_TO_DATE")
    assert node.slots()["b"]["state"] == "inactive"
