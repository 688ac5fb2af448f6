# SPDX-License-Identifier: Apache-2.0
"""A small disk with the partitions of a node, and recordings of it made write by write."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.recording import (
    Image,
    Recording,
    Source,
    Story,
    open_recording,
    write_recording,
)
from tests.powercut.write_log import SECTOR
from tests.unit.powercut.logs import Entry, log_bytes

MIB = 1 << 20
PARTS = ("esp", "rootfs_a", "rootfs_b", "persist")
START = {name: (1 + number) * 2048 for number, name in enumerate(PARTS)}
OLD, NEW = b"old!" * 3000, b"new!" * 4000


@dataclass
class SmallDisk:
    """One MiB each of ESP, slot a, slot b and persistent partition, and nothing in them but A."""

    folder: Path

    def __post_init__(self) -> None:
        self.path = self.folder / "disk.raw"
        with self.path.open("wb") as file:
            file.truncate(6 * MIB)
        options = []
        for number, name in enumerate(PARTS, 1):
            options += [f"-n{number}:{START[name]}:+1M", f"-c{number}:{name}"]
        subprocess.run(["sgdisk", *options, self.path], check=True, capture_output=True)
        self.write(START["rootfs_a"], OLD)
        for name, data in (("old", OLD), ("new", NEW)):
            (self.folder / name).write_bytes(data)

    def write(self, sector: int, data: bytes) -> None:
        """Put bytes on the disk before anything is recorded."""
        with self.path.open("r+b") as file:
            file.seek(sector * SECTOR)
            file.write(data)

    def record(self, requests: Sequence[Entry], name: str = "small") -> Recording:
        """The recording of these requests."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "writes.log").write_bytes(log_bytes(requests))
        images = {name: Image(name, self.folder / name, {}) for name in ("old", "new")}
        before = {"a": "old", "b": ""}
        story = Story("a", "b", images, before, "new", {})
        write_recording(folder, story, Source("../disk.raw", "writes.log"))
        return open_recording(folder)
