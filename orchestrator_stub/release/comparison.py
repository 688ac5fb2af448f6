# SPDX-License-Identifier: Apache-2.0
"""Comparison of what is added with a release that is known: are they the same bytes?

A packed file is compared as it is. What is made of frames is compared by its content, chunk by
chunk: another level makes another file of the same image, and that is no other release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator_stub.release.delta.listing import without_deltas
from orchestrator_stub.release.draft import Draft
from orchestrator_stub.release.formats import is_framed
from orchestrator_stub.release.frames import Encoded, index_image
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.release import Release, ReleaseFile, profile_path
from orchestrator_stub.release.small_files import small_file
from orchestrator_stub.release.work import Work
from puad.core.chunks import ChunkIndex, parse_index
from puad.core.errors import ImageError


@dataclass(frozen=True, slots=True)
class KnownRelease:
    """A release that is staged or published.

    Attributes:
        release: The release.
        place: Where a file of it lies.
    """

    release: Release
    place: Callable[[ReleaseFile], Path]

    def read_index(self) -> ChunkIndex | None:
        """Its chunk index; None when it cannot be read any more."""
        release = self.release
        [file] = [file for file in release.files if file.path == release.manifest.index]
        try:
            return parse_index(
                self.place(file).read_bytes(),
                image_size=release.manifest.unpacked_size,
                file_size=release.image.size,
            )
        except (OSError, ImageError):
            return None


def find_differences(
    image: RawImage, draft: Draft, small: tuple[ReleaseFile, ...], known: KnownRelease, work: Work
) -> list[str]:
    """The target paths in which this image would differ from a known release.

    Args:
        image: The image, unpacked.
        draft: What the publisher says of it.
        small: Its small files.
        known: The release of the same name.
        work: How the long work is done.

    Raises:
        InputError: When the image cannot be read.
    """
    release = known.release
    draft = draft.built(release.manifest.built_at)
    if (image.size, draft.format) != (release.manifest.unpacked_size, release.manifest.format):
        return [draft.image_path]
    if not _is_same(image, draft, known, work):
        return [draft.image_path]
    encoded = Encoded(
        image.root.length, release.manifest.image_hash, release.image.size, release.image.sha256
    )
    profile = small_file(profile_path(*draft.key), draft.profile_manifest(encoded.file_hash))
    index = [file for file in release.files if file.path == draft.index_path]
    files = (draft.image_file(encoded, small), *small, *index, profile)
    ours = {file.path: file for file in files}
    theirs = {file.path: file for file in without_deltas(release)}
    return sorted(p for p in ours.keys() | theirs.keys() if ours.get(p) != theirs.get(p))


def _is_same(image: RawImage, draft: Draft, known: KnownRelease, work: Work) -> bool:
    told = work.progress("comparing", image.size)
    if image.packed is not None and not is_framed(draft.format):
        return _file_hash(image.packed, told) == known.release.image.sha256
    image_hash, index = index_image(image, threads=work.threads, progress=told)
    if image_hash != known.release.manifest.image_hash:
        return False
    # A disk is more than its root image.
    return image.disk is None or _content(index) == _content(known.read_index())


def _file_hash(file: RawImage, told: Callable[[int], object]) -> str:
    digest = hashlib.sha256()
    for piece in file.chunks():
        digest.update(piece)
        told(len(piece))
    return digest.hexdigest()


def _content(index: ChunkIndex | None) -> list[tuple[int, bytes]]:
    return [(chunk.image_length, chunk.sha256) for chunk in index.chunks] if index else []
