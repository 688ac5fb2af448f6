# SPDX-License-Identifier: Apache-2.0
"""A recording: a disk before it was written to, and the log of every write that followed.

It is a folder with `recording.json` beside the files that this names, so that a recording made by
the bench, or by the reference node in its virtual machine, is checked in the same way.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.powercut.partitions import Partition, read_table
from tests.powercut.write_log import SECTOR, Request, WriteLog

FILE_NAME: Final = "recording.json"
TABLE: Final = "table"
ESP: Final = "esp"
PERSIST: Final = "persist"
SLOT_LABELS: Final = {"a": "rootfs_a", "b": "rootfs_b"}


@dataclass(frozen=True, slots=True)
class Image:
    """An image that lies, or is to lie, on a slot: its root and its boot files."""

    image_id: str
    root: Path
    boot_files: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Story:
    """What was recorded.

    Attributes:
        protected: The slot that was booted first; it must stay bootable all along.
        target: The other slot.
        images: Every image by its id.
        before: The image id on each slot at the start; no id for an empty slot.
        installed: The image id that was brought to the target; empty for none.
        folders: Where in the persistent partition `store`, `health` and `control` lie.
    """

    protected: str
    target: str
    images: dict[str, Image]
    before: dict[str, str]
    installed: str
    folders: dict[str, str]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the disk, in sectors."""

    name: str
    start: int
    end: int

    @property
    def is_slot(self) -> bool:
        """Whether it holds a root image."""
        return self.name in SLOT_LABELS


@dataclass
class Recording:
    """One recording, opened."""

    name: str
    disk: Path
    log: WriteLog
    story: Story
    requests: list[Request] = field(default_factory=list)

    @cached_property
    def disk_sectors(self) -> int:
        """The size of the disk."""
        return self.disk.stat().st_size // SECTOR

    @cached_property
    def partitions(self) -> tuple[Partition, ...]:
        """The partitions before the first write."""
        return read_table(self.read_before, 1)

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The partitions that matter, by their place."""
        names = {ESP: ESP, PERSIST: PERSIST} | {label: s for s, label in SLOT_LABELS.items()}
        found = [
            Region(names[part.name], part.start, part.end)
            for part in self.partitions
            if part.name in names
        ]
        return tuple(sorted(found, key=lambda region: region.start))

    def region(self, name: str) -> Region:
        """The region of that name."""
        return next(region for region in self.regions if region.name == name)

    def region_of(self, request: Request) -> str:
        """Where a request lies; what is in no partition belongs to the table."""
        for region in self.regions:
            if request.sector < region.end and request.end > region.start:
                return region.name
        return TABLE

    def read_before(self, sector: int, sectors: int) -> bytes:
        """Sectors of the disk before the first write."""
        fd = os.open(self.disk, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, sectors * SECTOR, sector * SECTOR)
        finally:
            os.close(fd)


def open_recording(folder: Path) -> Recording:
    """Open the recording of a folder."""
    document = json.loads((folder / FILE_NAME).read_text())
    images = {
        image_id: Image(
            image_id,
            folder / entry["root"],
            {kind: folder / path for kind, path in entry["boot_files"].items()},
        )
        for image_id, entry in document["images"].items()
    }
    story = Story(
        protected=document["protected"],
        target=document["target"],
        images=images,
        before=document["before"],
        installed=document["installed"],
        folders=document["folders"],
    )
    log = WriteLog(folder / document["log"])
    recording = Recording(folder.name, folder / document["disk"], log, story)
    recording.requests.extend(itertools.islice(log.requests(), document["first"], document["last"]))
    return recording


@dataclass(frozen=True, slots=True)
class Source:
    """Where a recording comes from; paths from its folder.

    Attributes:
        disk: The raw disk before the first request.
        log: The log.
        first: Requests of the log that came before that disk.
        last: The request at which it ends; None for all of the log.
    """

    disk: str
    log: str
    first: int = 0
    last: int | None = None


def write_recording(folder: Path, story: Story, source: Source) -> None:
    """Describe the recording that lies in a folder."""
    document: dict[str, Any] = {
        **asdict(source),
        "protected": story.protected,
        "target": story.target,
        "images": {
            image_id: {
                "root": os.path.relpath(image.root, folder),
                "boot_files": {
                    kind: os.path.relpath(path, folder) for kind, path in image.boot_files.items()
                },
            }
            for image_id, image in story.images.items()
        },
        "before": story.before,
        "installed": story.installed,
        "folders": story.folders,
    }
    (folder / FILE_NAME).write_text(json.dumps(document, indent=1) + "\n")
