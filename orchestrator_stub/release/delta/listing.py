# SPDX-License-Identifier: Apache-2.0
"""The deltas of a release, put into its files and manifest and taken out again.

They are no part of what a release is: with and without them it is the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator_stub.release.release import Release, ReleaseFile
from puad.core.delta import Delta


def with_deltas(
    release: Release, rows: Sequence[Delta], files: Sequence[ReleaseFile]
) -> tuple[ReleaseFile, ...]:
    """The files of a release that has these deltas, and no others.

    Args:
        release: The release.
        rows: What its manifest shall say of them.
        files: Their target files.
    """
    listed = {path for delta in release.manifest.deltas for path in (delta.path, delta.index)}
    custom = replace(release.manifest, deltas=tuple(rows)).dump()
    image = replace(release.image, custom=custom)
    rest = [file for file in release.files if file is not release.image and file.path not in listed]
    return (image, *rest, *files)


def without_deltas(release: Release) -> tuple[ReleaseFile, ...]:
    """The files that make a release what it is."""
    return with_deltas(release, (), ())
