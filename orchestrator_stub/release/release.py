# SPDX-License-Identifier: Apache-2.0
"""A release: one version of one OS profile, and the target files that make it.

`P/V/P-V.raw.zst` is the image, beside it `….idx`, boot files and `P/V/profile.yaml`. The image's
target carries the manifest as its `custom` object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import TargetFile

from orchestrator_stub.release.errors import RepositoryError
from puad.core.errors import TrustError
from puad.core.manifest import CUSTOM_KEY, Manifest, parse_manifest


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One target file: its path, size in bytes, SHA-256 hex, and `custom` object if any."""

    path: str
    size: int
    sha256: str
    custom: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def to_target(self) -> TargetFile:
        """The entry of the targets metadata."""
        extra = {"custom": dict(self.custom)} if self.custom else {}
        return TargetFile(self.size, {"sha256": self.sha256}, self.path, extra)


@dataclass(frozen=True, slots=True)
class Release:
    """A release: what its manifest says, the image first among its files.

    Attributes:
        manifest: The manifest of its image.
        image: The image's own target file.
        files: All its target files, the image among them.
    """

    manifest: Manifest
    image: ReleaseFile
    files: tuple[ReleaseFile, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Profile and version."""
        return self.manifest.profile, self.manifest.version

    @property
    def label(self) -> str:
        """Profile and version, for people."""
        return f"{self.manifest.profile} {self.manifest.version}"


def release_folder(profile: str, version: str) -> str:
    """The folder of a release's target paths."""
    return f"{profile}/{version}"


def file_path(profile: str, version: str, ending: str) -> str:
    """The target path of the release's file with that ending."""
    return f"{release_folder(profile, version)}/{profile}-{version}{ending}"


def profile_path(profile: str, version: str) -> str:
    """The target path of the release's OS profile manifest."""
    return f"{release_folder(profile, version)}/profile.yaml"


def group_releases(files: Iterable[ReleaseFile]) -> tuple[Release, ...]:
    """The releases that these target files make, in the order of their paths.

    Raises:
        RepositoryError: When an image's manifest cannot be read.
    """
    folders: dict[str, list[ReleaseFile]] = {}
    for file in sorted(files, key=lambda one: one.path):
        folders.setdefault(file.path.rpartition("/")[0], []).append(file)
    return tuple(
        make_release(members)
        for members in folders.values()
        if any(CUSTOM_KEY in (file.custom or {}) for file in members)
    )


def make_release(files: Iterable[ReleaseFile]) -> Release:
    """The release that these files make; one of them carries a manifest.

    Raises:
        RepositoryError: When none does, or when it cannot be read.
    """
    members = tuple(files)
    image = next((file for file in members if CUSTOM_KEY in (file.custom or {})), None)
    if image is None:
        raise RepositoryError("a release has no image", on=str([file.path for file in members]))
    try:
        return Release(parse_manifest(image.custom), image, members)
    except TrustError as error:
        raise RepositoryError(error.what, on=image.path) from error
