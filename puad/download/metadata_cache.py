# SPDX-License-Identifier: Apache-2.0
"""The metadata cache: verified metadata of the last good refresh, kept durably.

`tuf.ngclient` writes its folder without fsync and dies of an empty file in it, so it works on a
scratch copy, and only a whole good refresh is saved here. Nothing in the cache is trusted for lying
in it: every refresh verifies it anew from the image's root of trust. What is unreadable is simply
not there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from puad.bounded_file import read_bounded
from puad.config import Limits
from puad.store.durable_file import System, replace_file

ROLES: Final = ("timestamp", "snapshot", "targets")


class MetadataCache:
    """One folder with `timestamp.json`, `snapshot.json`, `targets.json` and `N.root.json`.

    Args:
        folder: Where; made when it is missing.
        limits: Bounds on the size of each file.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._most_bytes = {
            "timestamp": limits.timestamp_bytes,
            "snapshot": limits.snapshot_bytes,
            "targets": limits.targets_bytes,
            "root": limits.root_metadata_bytes,
        }

    def load(self) -> dict[str, bytes]:
        """The kept metadata by role; a role whose file cannot be read is left out."""
        found = {role: self._read(f"{role}.json", role) for role in ROLES}
        return {role: data for role, data in found.items() if data}

    def root(self, version: int) -> bytes | None:
        """One version of the root metadata; None when it is not kept."""
        return self._read(f"{version}.root.json", "root")

    def save(self, metadata: Mapping[str, bytes], roots: Mapping[int, bytes]) -> None:
        """Keep the metadata of a good refresh; returns when they are on the medium.

        Args:
            metadata: By role.
            roots: By version; kept ones of other versions are removed.

        Raises:
            OSError: When it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for version, data in roots.items():
            self._write(f"{version}.root.json", "root", data)
        for role, data in metadata.items():
            self._write(f"{role}.json", role, data)
        self.forget_roots(except_for=roots)

    def forget_roots(self, except_for: Mapping[int, bytes] | None = None) -> None:
        """Remove kept root metadata, all or all but some versions."""
        keep = {f"{version}.root.json" for version in except_for or {}}
        for path in self._folder.glob("*.root.json"):
            if path.name not in keep:
                path.unlink(missing_ok=True)

    def _read(self, name: str, role: str) -> bytes | None:
        with contextlib.suppress(OSError):
            return read_bounded(self._folder / name, self._most_bytes[role])
        return None

    def _write(self, name: str, role: str, data: bytes) -> None:
        if self._read(name, role) != data:
            replace_file(self._folder / name, data, System())
