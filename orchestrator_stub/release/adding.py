# SPDX-License-Identifier: Apache-2.0
"""Adding: an image becomes a staged release.

Rules:

1. A version means one set of bytes for ever. Once it is published or withdrawn, other bytes under
   the same version are refused; the same ones again are nothing to do.
2. The long work is done without the publisher's lock, so that a refresh of the timestamp never
   waits for an image; the lock is taken to stage it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from orchestrator_stub.release.disk import Disk, translated
from orchestrator_stub.release.draft import DOCUMENTS, Draft
from orchestrator_stub.release.errors import ConflictError, InputError
from orchestrator_stub.release.frames import ENCODERS, Encoded, encode_image, hash_image
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.inputs import opened
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.lock import publisher_lock
from orchestrator_stub.release.release import Release, ReleaseFile, profile_path
from orchestrator_stub.release.repository import read_published
from orchestrator_stub.release.staging import new_folder, read_staged, stage
from puad.core.boot_file import MAX_BOOT_FILE_BYTES

_MAX_DOCUMENT_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 20


class Progress(Protocol):
    """Something that shows how far a pass over the image is."""

    def __call__(self, what: str, total: int) -> Callable[[int], object]:
        """Begin a pass of `total` bytes; the answer is called with each piece's size."""


@dataclass(frozen=True, slots=True)
class Work:
    """How the long work is done: compression level, threads, and who is told how far it is."""

    level: int
    threads: int
    progress: Progress


def add_release(
    layout: Layout, disk: Disk, anchor: Path | None, image: RawImage, draft: Draft, work: Work
) -> tuple[Release, bool]:
    """Stage an image as a release.

    Args:
        layout: Where the repository lies.
        disk: What writes to it.
        anchor: The root that published metadata must be derived from; see `read_published`.
        image: The image.
        draft: What the publisher says of it.
        work: How the long work is done.

    Returns:
        The release, and whether it is newly staged.

    Raises:
        ConflictError: When this version was published with other bytes, or withdrawn.
        ReleaseError: When the image or a file cannot be read or written.
    """
    public = _find_public(layout, anchor, draft)
    known = public or _find((one.release for one in read_staged(layout)), draft)
    with new_folder(layout) as folder:
        small = _small_files(draft, folder)
        if known is not None:
            other = _compare(image, draft, small, known, work)
            if not other:
                return known, False
            if public is not None:
                raise _conflict(other)
        files = _encode(image, draft, small, folder, work)
        with publisher_lock(layout.lock):
            if _find_public(layout, anchor, draft) is not None:
                raise _conflict([draft.image_path])
            return stage(layout, disk, folder, files), True


def _find_public(layout: Layout, anchor: Path | None, draft: Draft) -> Release | None:
    """The published release of that name; a withdrawn one is refused."""
    published = read_published(layout, anchor=anchor)
    withdrawal = published.catalogue.withdrawal(*draft.key)
    if withdrawal is not None:
        raise ConflictError(
            f"this version was withdrawn at {withdrawal.at}: {withdrawal.reason}",
            on=" ".join(draft.key),
            hint="Build the image again under a new version.",
        )
    return _find(published.releases, draft)


def _find(releases: Iterable[Release], draft: Draft) -> Release | None:
    return next((release for release in releases if release.key == draft.key), None)


def _small_files(draft: Draft, folder: Path) -> tuple[ReleaseFile, ...]:
    boot = [
        _take(draft.boot_files[kind], folder, path, MAX_BOOT_FILE_BYTES)
        for path, kind in draft.boot_paths.items()
    ]
    documents = [
        _take_document(source, folder, draft.path(DOCUMENTS[key]))
        for key, source in sorted(draft.documents.items())
    ]
    return (*boot, *documents)


def _take_document(source: Path, folder: Path, path: str) -> ReleaseFile:
    """Copy a document into the release, and refuse it there when no reader could parse it."""
    document = _take(source, folder, path, _MAX_DOCUMENT_BYTES)
    copy = folder / path.rpartition("/")[2]
    with translated(copy):
        data = copy.read_bytes()
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "the document is not JSON", on=str(source), hint=f"Correct it: {error}."
        ) from error
    return document


def _take(source: Path, folder: Path, path: str, most: int) -> ReleaseFile:
    """Copy a small file into the release, hashing the bytes that are written."""
    digest, size = hashlib.sha256(), 0
    target = folder / path.rpartition("/")[2]
    with opened(source) as reader, translated(target), target.open("xb") as writer:
        while piece := os.read(reader, _PIECE_BYTES):
            size += len(piece)
            if size > most:
                raise InputError(f"the file is larger than {most} bytes", on=str(source))
            digest.update(piece)
            writer.write(piece)
        _finish(writer)
    if size == 0:
        raise InputError("the file is empty", on=str(source))
    return ReleaseFile(path, size, digest.hexdigest())


def _compare(
    image: RawImage, draft: Draft, small: tuple[ReleaseFile, ...], known: Release, work: Work
) -> list[str]:
    """The target paths in which this image would differ from a known release."""
    draft = draft.built(known.manifest.built_at)
    if image.size != known.manifest.image_size or draft.format != known.manifest.format:
        return [draft.image_path]
    image_hash = hash_image(image, work.progress("comparing", image.size))
    if image_hash != known.manifest.image_hash:
        return [draft.image_path]
    encoded = Encoded(image.size, image_hash, known.image.size, known.image.sha256)
    index = tuple(file for file in known.files if file.path == draft.index_path)
    profile = draft.profile_manifest(encoded.file_hash)
    files = _assemble(draft, encoded, small, (*index, _profile_file(draft, profile)))
    ours = {file.path: file for file in files}
    theirs = {file.path: file for file in known.files}
    return sorted(p for p in ours.keys() | theirs.keys() if ours.get(p) != theirs.get(p))


def _encode(
    image: RawImage, draft: Draft, small: tuple[ReleaseFile, ...], folder: Path, work: Work
) -> tuple[ReleaseFile, ...]:
    target = folder / draft.image_path.rpartition("/")[2]
    with translated(target), target.open("xb") as out:
        encoded, index = encode_image(
            image,
            out,
            ENCODERS[draft.format](work.level),
            threads=work.threads,
            progress=work.progress("compressing", image.size),
        )
        _finish(out)
    profile = draft.profile_manifest(encoded.file_hash)
    written = (
        _write(folder, draft.index_path, index.dump()),
        _write(folder, profile_path(*draft.key), profile),
    )
    return _assemble(draft, encoded, small, written)


def _assemble(
    draft: Draft, encoded: Encoded, small: tuple[ReleaseFile, ...], rest: tuple[ReleaseFile, ...]
) -> tuple[ReleaseFile, ...]:
    custom = draft.manifest(encoded, small).dump()
    image = ReleaseFile(draft.image_path, encoded.file_size, encoded.file_hash, custom)
    return (image, *small, *rest)


def _write(folder: Path, path: str, data: bytes) -> ReleaseFile:
    target = folder / path.rpartition("/")[2]
    with translated(target), target.open("xb") as out:
        out.write(data)
        _finish(out)
    return ReleaseFile(path, len(data), hashlib.sha256(data).hexdigest())


def _profile_file(draft: Draft, data: bytes) -> ReleaseFile:
    path = profile_path(*draft.key)
    return ReleaseFile(path, len(data), hashlib.sha256(data).hexdigest())


def _finish(file: BinaryIO) -> None:
    """Put a file of the release on the disk, readable by the web server once it is published."""
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())


def _conflict(other: list[str]) -> ConflictError:
    return ConflictError(
        "this version is already published with other bytes",
        on=", ".join(other),
        hint="Publish them under a new version: nodes and policies name a release by its version.",
    )
