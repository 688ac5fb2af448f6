# SPDX-License-Identifier: Apache-2.0
"""Release service of the demo: `puad-release` on a folder that the orchestrator serves.

The keys and the first root are made once and kept, because the root of trust is part of every
image; each run publishes on a copy.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.demo.images import PROFILE
from tests.demo.layout import REPOSITORY, Layout, key, tree_key
from tests.demo.tool import run_tool

_LEVEL = "3"  # quick to publish; a release that many nodes fetch deserves 19


@dataclass(frozen=True, slots=True)
class ReleaseService:
    """One repository with its keys: `folder` is served, `keys` is not."""

    folder: Path
    keys: Path
    log: Path
    profile: str = PROFILE

    @property
    def root_of_trust(self) -> Path:
        """The root metadata that is built into images."""
        return self.folder / "metadata/1.root.json"

    def init(self) -> None:
        """Make keys and an empty repository."""
        self._run("init")

    def add(self, version: str, image: Path, *boot_files: Path, **more: str) -> dict[str, Any]:
        """Compress an image and put it aside, with its boot files, for the next `publish`.

        Args:
            version: Its version.
            image: The root image.
            boot_files: A kernel, a kernel and an initial RAM disk, or a UKI (`*.efi`).
            more: Further options, such as `root_partuuid`. Without `deltas` none are made: what is
                counted and broken off is then the download of the full file.
        """
        options: list[str | Path] = ["--profile", self.profile, "--version", version]
        options += ["--level", _LEVEL, "--architecture", os.uname().machine]
        kinds = ("--uki",) if boot_files[0].suffix == ".efi" else ("--linux", "--initrd")
        for kind, file in zip(kinds, boot_files, strict=False):
            options += [kind, file]
        for name, value in ({"deltas": "0"} | more).items():
            options += [f"--{name.replace('_', '-')}", value]
        added = self._run("add", image, *options, keyed=False)
        release: dict[str, Any] = added["release"]
        return release

    def publish(self) -> None:
        """Sign and publish what was added."""
        self._run("publish")

    def target(self, path: str) -> Path:
        """The published file of a target path."""
        folder, _, name = path.rpartition("/")
        (found,) = (self.folder / "targets" / folder).glob(f"*.{name}")
        return found

    def _run(self, command: str, *options: str | Path, keyed: bool = True) -> dict[str, Any]:
        program = [sys.executable, "-m", "orchestrator_stub.release", command, *options]
        keys: list[str | Path] = ["--keys", self.keys] if keyed else []
        output = run_tool([*program, "--repo", self.folder, *keys, "--json"], self.log)
        answer: dict[str, Any] = json.loads(output)
        return answer


def kept_trust(cache: Path, log: Path) -> Path:
    """The folder of an empty repository `release` and its `keys`, which cached images trust."""
    code = tree_key(REPOSITORY / "orchestrator_stub/release")
    kept = cache / f"trust-{key(f'{datetime.now(UTC):%Y-%m}', code)}"
    if not kept.exists():
        half = kept.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        ReleaseService(half / "release", half / "keys", log).init()
        half.rename(kept)
    return kept


def founded(layout: Layout) -> ReleaseService:
    """A release service for this run, with the keys that the cached images trust."""
    log = layout.logs / "release.log"
    kept = kept_trust(layout.cache, log)
    shutil.copytree(kept / "release", layout.release)
    shutil.copytree(kept / "keys", layout.run / "keys")
    return ReleaseService(layout.release, layout.run / "keys", log)
