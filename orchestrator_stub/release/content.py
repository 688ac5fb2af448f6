# SPDX-License-Identifier: Apache-2.0
"""The content of a repository: which target files it lists, and the catalogue that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tuf.api.metadata import TargetFile

from orchestrator_stub.release.catalogue import Catalogue, Withdrawal
from orchestrator_stub.release.layout import CATALOGUE_PATH
from orchestrator_stub.release.release import ReleaseFile


@dataclass(frozen=True, slots=True)
class Content:
    """What the targets metadata shall list.

    Attributes:
        files: Every target file but the catalogue.
        withdrawn: What was withdrawn, oldest first.
    """

    files: tuple[ReleaseFile, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()

    @property
    def catalogue(self) -> bytes:
        """The catalogue of these files, as published."""
        paths = tuple(file.path for file in self.files if file.name == "profile.yaml")
        return Catalogue(paths, self.withdrawn).dump()

    @property
    def catalogue_file(self) -> ReleaseFile:
        """The catalogue as a target file."""
        data = self.catalogue
        return ReleaseFile(CATALOGUE_PATH, len(data), hashlib.sha256(data).hexdigest())

    @property
    def targets(self) -> dict[str, TargetFile]:
        """The entries of the targets metadata."""
        return {file.path: file.to_target() for file in (*self.files, self.catalogue_file)}

    def plus(self, files: Iterable[ReleaseFile]) -> Content:
        """This content with more files; a file of the same path gives way."""
        merged = {file.path: file for file in (*self.files, *files)}
        return Content(tuple(merged.values()), self.withdrawn)

    def without(self, files: Iterable[ReleaseFile], withdrawal: Withdrawal) -> Content:
        """This content without some files, which were withdrawn."""
        gone = {file.path for file in files}
        kept = tuple(file for file in self.files if file.path not in gone)
        return Content(kept, (*self.withdrawn, withdrawal))
