# SPDX-License-Identifier: Apache-2.0
"""The ways that an image comes to a node, each on the real processes: a delta, and a whole disk."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import PROFILE, Rig, Window
from tests.unit.release.disk_image.made_disk import ROOT_ID, make_uki, upstream_disk

pytestmark = pytest.mark.minutes(1)


def sibling(fleet: Fleet, version: str) -> Path:
    """An image that differs from 1.0 in its version and in a few bytes."""
    tree, image = fleet.folder / f"tree-{version}", fleet.folder / f"{version}.raw"
    shutil.copytree(fleet.folder / "tree-1.0", tree, symlinks=True)
    release = tree / "usr/lib/os-release"
    release.write_text(release.read_text().replace('"1.0"', f'"{version}"'))
    with (tree / "usr/lib/payload").open("r+b") as payload:
        payload.seek(1_500_000)
        payload.write(version.encode() * 100)
    command = ["mkfs.erofs", "-T0", str(image), str(tree)]
    subprocess.run(command, capture_output=True, check=True)
    return image


def update(rig: Rig, fleet: Fleet, window: Window, version: str) -> None:
    fleet.refresh()
    rig.server.link(fleet.target(version))
    window(rig)
    rig.power_on()
    rig.wait(lambda: rig.stored().get("installed"), "the update is done")
    rig.settle("IDLE", "DONE")
    assert rig.booted == "b"
    assert rig.server.instance()["os"]["imageId"] == version


@pytest.mark.parametrize("changed", [False, True])
def test_update_by_a_delta_takes_few_bytes_whatever_the_old_slot_holds(
    rig: Rig, fleet: Fleet, window: Window, *, changed: bool
) -> None:
    version = "6.1" if changed else "6.0"
    image = sibling(fleet, version)
    if not list(fleet.releases.folder.glob("targets/*/1.0")):
        fleet.releases.publish("1.0", fleet.images["1.0"])
    fleet.releases.publish(version, image, "--deltas", "16")
    if changed:  # and so are a few bytes of the booted slot, behind the back of its file system
        with rig.machine.slot_file("a").open("r+b") as slot:
            slot.seek(image.stat().st_size - (1 << 20))
            slot.write(b"somebody was here")

    update(rig, fleet, window, version)

    log = rig.logs_of("puad")
    assert "by the delta from 1.0" in log
    (fetched,) = re.findall(r"wrote \d+ bytes; fetched (\d+)", log)
    full_bytes = fleet.releases.file(f"edge-{version}.raw.zst").stat().st_size
    assert int(fetched) < full_bytes * (0.6 if changed else 0.05)
    assert ("did not come out of the delta" in log) == changed
    assert rig.machine.slot_file("b").read_bytes()[: image.stat().st_size] == image.read_bytes()


def test_update_to_an_upstream_disk_boots_the_kernel_that_lies_on_it(
    rig: Rig, fleet: Fleet, window: Window, tmp_path: Path
) -> None:
    root = sibling(fleet, "7.0").read_bytes()
    uki = make_uki()
    disk = upstream_disk(tmp_path, uki=uki, root=root)
    packed = fleet.folder / "7.0.raw.gz"
    packed.write_bytes(gzip.compress(disk.read_bytes(), 1, mtime=0))
    named = ("--profile", PROFILE, "--version", "7.0")
    fleet.releases.run("add", packed, *named, keyed=False)
    fleet.releases.run("publish")

    update(rig, fleet, window, "7.0")

    assert rig.machine.slot_file("b").read_bytes()[: len(root)] == root
    assert (rig.machine.disk / "firmware.d/b/uki").read_bytes() == uki
    slot = rig.machine.slot_file("b")
    assert slot.with_name(f"{slot.name}.root-id").read_text().strip() == ROOT_ID
