# SPDX-License-Identifier: Apache-2.0
"""puad's ways: the full file in frames, and the delta; both are of one release.

The publisher's part of the delta is all that `puad-release add` does: full file, index and delta.
The node is the real install from the signed metadata to a medium on which every chunk was checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.bench.delta.ways.way import Published, Way
from tests.bench.measured import Used
from tests.bench.node.installing import Task
from tests.bench.node.node import fresh, install
from tests.bench.published import WITH_DELTA, Repository
from tests.bench.served_folder import served

OLD: Final = "1.0"
NEW: Final = "2.0"
_LEVEL: Final = 19
_QUICK_LEVEL: Final = 1  # of the old image only its bytes matter
_METADATA_BYTES: Final = 1 << 16
_ELSEWHERE: Final = "0.1"  # a node that runs this has no delta to use


class Delta(Way, name="puad, delta"):
    """A release with its delta."""

    booted = OLD
    repository: Repository

    def publish(self) -> Published:
        self.repository = Repository(self.folder / "release")
        self.repository.add(self.images.old, OLD, _QUICK_LEVEL)
        used = self.repository.add(self.images.new, NEW, _LEVEL, *WITH_DELTA)
        wire = self.repository.wire(NEW, OLD)
        note = f"{wire.missing} chunks from the full file"
        if wire.delta is None:
            note = "no delta was made: these are the full file's"
        return Published(self.wire_bytes(), used, note)

    def install(self, slot: Path) -> Used:
        with served(self.repository.folder) as server:
            used = install(self._task(server.url, slot)).written
            sent, counted = server.sent_bytes(), self.wire_bytes()
        assert sent < counted + _METADATA_BYTES, f"{sent} bytes were sent, {counted} counted"
        return used

    def wire_bytes(self) -> int:
        """What a node has to fetch."""
        wire = self.repository.wire(NEW, self.booted)
        return wire.full if wire.delta is None else wire.delta

    def _task(self, url: str, slot: Path) -> Task:
        return Task(
            url=url,
            trust_root=str(self.repository.root_of_trust),
            version=NEW,
            booted=self.booted,
            device=str(slot),
            base=str(self.images.old),
            persist=str(fresh(self.folder)),
        )


class Full(Delta, name="puad, full raw.zst"):
    """The same release for a node that runs another image."""

    booted = _ELSEWHERE

    def share(self, delta: Delta) -> None:
        """Use what was published with its delta."""
        self.repository = delta.repository

    def publish(self) -> Published:
        return Published(self.wire_bytes(), None, "made with the delta")
