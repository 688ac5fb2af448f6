# SPDX-License-Identifier: Apache-2.0
"""A release service for a benchmark: what `puad-release` publishes, and how many bytes that is.

This is the only place that knows the publisher's command line and the form of what it signs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuf.api.metadata import Metadata, TargetFile, Targets

from puad.core.chunks import ChunkIndex, parse_index
from puad.core.delta import parse_delta_index
from puad.core.manifest import CUSTOM_KEY, Manifest, parse_manifest
from tests.bench.measured import Used, run_measured
from tests.bench.node.installing import PROFILE

_RELEASE: Final = (sys.executable, "-m", "orchestrator_stub.release")
FULL_ONLY: Final = ("--deltas", "0")
WITH_DELTA: Final = ("--deltas", "1")


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes that a node has to fetch of a release, indexes included, TUF's metadata not.

    Attributes:
        full: Without a delta.
        delta: With the delta from the image that it runs; None when there is none.
        missing: Chunks that this delta lacks, and that come from the full file.
    """

    full: int
    delta: int | None = None
    missing: int = 0


class Repository:
    """A repository in a folder, made there or found there; then what nears expiry is signed anew.

    Args:
        folder: Where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self._keys = folder / "keys"
        if not self.folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._run("init")
        self._run("publish")

    @property
    def root_of_trust(self) -> Path:
        """What a node's image would bring along."""
        return self.folder / "metadata/1.root.json"

    def add(self, image: Path, version: str, level: int, *options: str) -> Used:
        """Publish an image; the answer is what `puad-release add` took of it.

        Args:
            image: The image.
            version: Its version.
            level: The level of zstd.
            options: `FULL_ONLY` or `WITH_DELTA`.
        """
        named = [f"--repo={self.folder}", f"--profile={PROFILE}", f"--version={version}"]
        used = run_measured([*_RELEASE, "add", image, *named, "--level", str(level), *options])
        self._run("publish")
        return used

    def wire(self, version: str, booted: str) -> Wire:
        """What a node that runs one image fetches for another."""
        image, manifest = self._release(version)
        assert manifest.index is not None
        index_target = self._targets()[manifest.index]
        data = self._file(index_target).read_bytes()
        index = parse_index(data, image_size=manifest.image_size, file_size=image.length)
        full = image.length + index_target.length
        for delta in manifest.deltas:
            if delta.from_version == booted:
                size, missing = self._delta_bytes(delta.path, delta.index, index)
                return Wire(full, size + index_target.length, missing)
        return Wire(full)

    def file(self, version: str) -> Path:
        """The published file of an image."""
        return self._file(self._release(version)[0])

    def _run(self, command: str) -> None:
        run_measured([*_RELEASE, command, "--repo", self.folder, "--keys", self._keys])

    def _delta_bytes(self, path: str, index_path: str, index: ChunkIndex) -> tuple[int, int]:
        delta, delta_index = self._targets()[path], self._targets()[index_path]
        data = self._file(delta_index).read_bytes()
        made = parse_delta_index(data, chunks=index.chunks, file_size=delta.length)
        missing = [
            chunk for chunk, how in zip(index.chunks, made.chunks, strict=True) if how is None
        ]
        size = delta.length + delta_index.length + sum(chunk.file_length for chunk in missing)
        return size, len(missing)

    def _release(self, version: str) -> tuple[TargetFile, Manifest]:
        for target in self._targets().values():
            custom = target.custom
            if custom and CUSTOM_KEY in custom:
                manifest = parse_manifest(custom)
                if manifest.version == version:
                    return target, manifest
        raise LookupError(version)

    def _targets(self) -> dict[str, TargetFile]:
        files = (self.folder / "metadata").glob("*.targets.json")
        newest = max(files, key=lambda path: int(path.name.partition(".")[0]))
        return Metadata[Targets].from_file(str(newest)).signed.targets

    def _file(self, target: TargetFile) -> Path:
        folder, _, name = target.path.rpartition("/")
        return self.folder / "targets" / folder / f"{target.hashes['sha256']}.{name}"
