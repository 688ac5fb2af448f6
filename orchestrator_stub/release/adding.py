# SPDX-License-Identifier: Apache-2.0
"""Adding: an image becomes a staged release.

Rules:

1. A version means one set of bytes for ever. Once it is published or withdrawn, other bytes under
   the same version are refused; the same ones again are nothing to do.
2. The long work is done without the publisher's lock, so that a refresh of the timestamp never
   waits for an image; the lock is taken to stage it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator_stub.release.comparison import KnownRelease, find_differences
from orchestrator_stub.release.delta.making import Effort
from orchestrator_stub.release.delta.publishing import (
    MadeDeltas,
    NewImage,
    add_deltas,
    choose_bases,
)
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.draft import Draft
from orchestrator_stub.release.errors import ConflictError
from orchestrator_stub.release.formats import unpacking_memory
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.lock import publisher_lock
from orchestrator_stub.release.published_file import write_published_file
from orchestrator_stub.release.release import Release, ReleaseFile, make_release, profile_path
from orchestrator_stub.release.repository import Published, read_published
from orchestrator_stub.release.small_files import take_small_files, write_small_file
from orchestrator_stub.release.staging import new_folder, read_staged, stage
from orchestrator_stub.release.survey import survey_image
from orchestrator_stub.release.unpacked import unpacked
from orchestrator_stub.release.work import Work
from puad.core.chunks import ChunkIndex


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an image.

    Attributes:
        release: Its release.
        changed: Whether it is newly staged.
        warnings: What the publisher should know of it.
        replaced: Whether other bytes were staged under its version.
    """

    release: Release
    changed: bool
    warnings: tuple[str, ...]
    replaced: bool = False


def add_release(
    layout: Layout, disk: Disk, anchor: Path | None, image: RawImage, draft: Draft, work: Work
) -> Added:
    """Stage an image as a release.

    Args:
        layout: Where the repository lies.
        disk: What writes to it.
        anchor: The root that published metadata must be derived from; see `read_published`.
        image: The image, as it was given.
        draft: What the publisher says of it.
        work: How the long work is done.

    Raises:
        ConflictError: When this version was published with other bytes, or withdrawn.
        ReleaseError: When the image or a file cannot be read or written.
    """
    published = read_published(layout, anchor=anchor)
    public = _find_public(layout, published, draft)
    known = public or _find_staged(layout, draft)
    memory_bytes = unpacking_memory(draft.format)
    with new_folder(layout) as folder:
        small = take_small_files(draft, folder)
        with unpacked(image, folder, memory_bytes, work.progress) as raw:
            found = survey_image(raw, draft)
            if known is not None:
                other = find_differences(found.image, found.draft, small, known, work)
                if not other:
                    return Added(known.release, changed=False, warnings=found.warnings)
                if public is not None:
                    raise _conflict(other)
            files, index = _write_files(found.image, found.draft, small, folder, work)
            new = NewImage(found.image, make_release(files), folder, index)
            made = _make_deltas(new, layout, published, work)
        with publisher_lock(layout.lock):
            # Others may have published meanwhile.
            published = read_published(layout, anchor=anchor)
            if _find_public(layout, published, draft) is not None:
                raise _conflict([draft.image_path])
            release = stage(layout, disk, folder, made.files)
    warnings = (*found.warnings, *made.warnings)
    return Added(release, changed=True, warnings=warnings, replaced=known is not None)


def _find_public(layout: Layout, published: Published, draft: Draft) -> KnownRelease | None:
    """The published release of that name; a withdrawn one is refused."""
    withdrawal = published.catalogue.withdrawal(*draft.key)
    if withdrawal is not None:
        raise ConflictError(
            f"this version was withdrawn at {withdrawal.at}: {withdrawal.reason}",
            on=" ".join(draft.key),
            hint="Build the image again under a new version.",
        )
    for release in published.releases:
        if release.key == draft.key:
            return KnownRelease(release, lambda file: layout.target(file.path, file.sha256))
    return None


def _find_staged(layout: Layout, draft: Draft) -> KnownRelease | None:
    for one in read_staged(layout):
        if one.release.key == draft.key:
            return KnownRelease(one.release, one.place)
    return None


def _write_files(
    image: RawImage, draft: Draft, small: tuple[ReleaseFile, ...], folder: Path, work: Work
) -> tuple[tuple[ReleaseFile, ...], ChunkIndex]:
    target = folder / draft.image_path.rpartition("/")[2]
    encoded, index = write_published_file(image, draft.format, target, work)
    profile = draft.profile_manifest(encoded.file_hash)
    files = (
        draft.image_file(encoded, small),
        *small,
        write_small_file(folder, draft.index_path, index.dump()),
        write_small_file(folder, profile_path(*draft.key), profile),
    )
    return files, index


def _make_deltas(new: NewImage, layout: Layout, published: Published, work: Work) -> MadeDeltas:
    bases = choose_bases(published.releases, new.release.key, work.deltas)
    return add_deltas(new, bases, layout, Effort(work.level, work.threads), work.progress)


def _conflict(other: list[str]) -> ConflictError:
    return ConflictError(
        "this version is already published with other bytes",
        on=", ".join(other),
        hint="Publish them under a new version: nodes and policies name a release by its version.",
    )
