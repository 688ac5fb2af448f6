# SPDX-License-Identifier: Apache-2.0
"""The deltas of a new release: one from each of the last published versions of its profile.

Rules:

1. They belong to the release but are no part of what it is: they can be left out, or fail, and the
   release is the same one.
2. A delta that saves a node less than a tenth of the full file is not published.
3. Versions that are withdrawn, newer than the new one, or no framed root images are no bases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_stub.release.delta.base import NoBaseError, opened_base, serves_as_base
from orchestrator_stub.release.delta.listing import with_deltas
from orchestrator_stub.release.delta.making import Effort, make_delta
from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.release import Release, ReleaseFile, file_path
from orchestrator_stub.release.work import Progress
from orchestrator_stub.release.written_file import new_file
from puad.core.chunks import ChunkIndex
from puad.core.delta import MAX_DELTAS, Delta, DeltaIndex
from puad.core.version import compare_versions, version_key

MAX_BASES: Final = MAX_DELTAS
_HASH_DIGITS: Final = 16
_WORTHWHILE: Final = 0.9
# A zstd frame without content: a target has at least one byte, also when the delta has no frame.
_NOTHING: Final = bytes.fromhex("502a4d18") + bytes(4)


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image that deltas shall make, and the release that it has become.

    Attributes:
        image: The image.
        release: Its release, complete but for the deltas.
        folder: Where the release's files lie, and those of the deltas will.
        index: The chunks of its published file.
    """

    image: RawImage
    release: Release
    folder: Path
    index: ChunkIndex

    @property
    def makes_root_by_frames(self) -> bool:
        """Whether the frames of the published file make the root image, and a node sees them."""
        manifest = self.release.manifest
        return manifest.index is not None and manifest.disk is None and self.index.framed


@dataclass(frozen=True, slots=True)
class MadeDeltas:
    """What became of the deltas.

    Attributes:
        files: All files of the release, with those of its deltas.
        warnings: One sentence for each delta that could not be made.
    """

    files: tuple[ReleaseFile, ...]
    warnings: tuple[str, ...] = ()


def choose_bases(
    published: Iterable[Release], key: tuple[str, str], count: int
) -> tuple[Release, ...]:
    """The newest published versions that a new release may have deltas from, newest first.

    Args:
        published: Every published release.
        key: Profile and version of the new one.
        count: How many at most.
    """
    profile, version = key
    older = [
        release
        for release in published
        if release.key[0] == profile
        and compare_versions(release.key[1], version) < 0
        and serves_as_base(release)
    ]
    older.sort(key=lambda release: (version_key(release.key[1]), release.key[1]), reverse=True)
    return tuple(older[:count])


def add_deltas(
    new: NewImage, bases: Sequence[Release], layout: Layout, effort: Effort, progress: Progress
) -> MadeDeltas:
    """Make a delta from each base, and add those that are worth it to the release.

    Args:
        new: The new image.
        bases: The releases to start from.
        layout: Where their files lie.
        effort: How the deltas are made.
        progress: Shows how far each is.

    Raises:
        ReleaseError: When the new image cannot be read or a file cannot be written.
    """
    if not bases or not new.makes_root_by_frames:
        return MadeDeltas(new.release.files)
    rows: list[Delta] = []
    files: list[ReleaseFile] = []
    warnings: list[str] = []
    # Two versions may have the same root image, and then share a delta.
    for image_hash in dict.fromkeys(base.manifest.image_hash for base in bases):
        alike = [base for base in bases if base.manifest.image_hash == image_hash]
        try:
            made = _make(new, alike[0], layout, effort, progress)
        except NoBaseError as error:
            warnings.append(f"there is no delta from {alike[0].label}, whose image {error}")
            continue
        if made:
            rows += [Delta(base.key[1], image_hash, made[0].path, made[1].path) for base in alike]
            files += made
    return MadeDeltas(with_deltas(new.release, rows, files), tuple(warnings))


def _make(
    new: NewImage, release: Release, layout: Layout, effort: Effort, progress: Progress
) -> tuple[ReleaseFile, ...]:
    """The delta from a release, and its index; nothing when it is not worth its bytes."""
    version, image_hash = release.key[1], release.manifest.image_hash
    path = file_path(*new.release.key, f".from-{image_hash[:_HASH_DIGITS]}.dzst")
    source = layout.target(release.image.path, release.image.sha256)
    checked = progress(f"checking {version}", release.manifest.image_size)
    try:
        with (
            opened_base(release, source, new.folder, checked) as base,
            new_file(new.folder, path) as delta,
        ):
            shown = progress(f"delta from {version}", new.image.size)
            index = make_delta(new.image.chunks(), new.index, base, delta.write, effort, shown)
            if not any(chunk and chunk.frame for chunk in index.chunks):
                delta.write(_NOTHING)
    except NoBaseError:
        _forget(new.folder, path)
        raise
    with new_file(new.folder, f"{path}.idx") as rows:
        rows.write(index.dump())
    files = (delta.release_file(), rows.release_file())
    cost = sum(file.size for file in files) + _left_out(new.index, index)
    if cost < _WORTHWHILE * new.release.image.size:
        return files
    for file in files:
        _forget(new.folder, file.path)
    return ()


def _left_out(full: ChunkIndex, delta: DeltaIndex) -> int:
    """What a node still has to take from the full file, in bytes."""
    pairs = zip(full.chunks, delta.chunks, strict=True)
    return sum(chunk.file_length for chunk, made in pairs if made is None)


def _forget(folder: Path, path: str) -> None:
    file = folder / path.rpartition("/")[2]
    with translated(file):
        file.unlink(missing_ok=True)
