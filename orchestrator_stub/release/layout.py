# SPDX-License-Identifier: Apache-2.0
"""Where everything lies in a repository's folder.

`metadata/` and `targets/` are what an HTTP server may serve. `unpublished/` (mode 0700) holds
staged releases, the counters and the lock; nothing in it is signed, and nobody needs to see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_stub.release.errors import UsageError

CATALOGUE_PATH: Final = "profiles.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one repository."""

    folder: Path

    @property
    def metadata(self) -> Path:
        """Signed metadata, served."""
        return self.folder / "metadata"

    @property
    def targets(self) -> Path:
        """Published files, served."""
        return self.folder / "targets"

    @property
    def unpublished(self) -> Path:
        """What is the publisher's own, not served."""
        return self.folder / "unpublished"

    @property
    def staged(self) -> Path:
        """Releases that wait for `publish`."""
        return self.unpublished / "releases"

    @property
    def state(self) -> Path:
        """Counters and validities."""
        return self.unpublished / "state.json"

    @property
    def lock(self) -> Path:
        """The publisher's lock."""
        return self.unpublished / "lock"

    def root(self, version: int) -> Path:
        """The root metadata of that version."""
        return self.metadata / f"{version}.root.json"

    @property
    def timestamp(self) -> Path:
        """The one metadata file whose name does not change."""
        return self.metadata / "timestamp.json"

    def target(self, path: str, sha256: str) -> Path:
        """Where a target file lies, by its path and hash (consistent snapshot)."""
        folder, _, name = path.rpartition("/")
        return self.targets / folder / f"{sha256}.{name}"


def require_apart(keys: Path, served: Path) -> None:
    """Refuse keys that lie inside a folder that may be served.

    Raises:
        UsageError: When `keys` is `served` or below it.
    """
    if keys.resolve().is_relative_to(served.resolve()):
        raise UsageError(
            "the keys folder lies inside the repository that is served",
            on=str(keys),
            hint="Keep the keys elsewhere: --keys must name a folder outside --repo.",
        )
