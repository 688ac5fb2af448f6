# SPDX-License-Identifier: Apache-2.0
"""Writing one image: the checks that come first, and the choice between the two ways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from puad import images
from puad.config import Limits
from puad.core.chunks import ChunkIndex
from puad.core.errors import Code, ImageError
from puad.download.release import Release
from puad.download.source import Source
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.chunk_writer import ChunkWriter
from puad.writer.file_writer import FileWriter
from puad.writer.slot import SlotFile


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a finished write did.

    Attributes:
        bytes_fetched: Bytes of the published file that came from the source.
        bytes_written: Image bytes that went to the slot; what was right already is not counted.
        image_hash: SHA-256 of the image, hex; None where each chunk had its own hash.
    """

    bytes_fetched: int
    bytes_written: int
    image_hash: str | None


def write_image(  # noqa: PLR0913 -- keyword-only, each a different thing
    *,
    fd: int,
    slot_bytes: int,
    release: Release,
    index: ChunkIndex | None,
    source: Source,
    journal: ChunkJournal,
    cancelled: Callable[[], bool],
    progress: Callable[[int, int], None],
    limits: Limits,
) -> WriteResult:
    """Bring an image to a slot; returns when it is on the medium.

    `cancelled` and `progress` are called in the caller's own thread.

    Args:
        fd: The slot, for reading and writing; it stays the caller's.
        slot_bytes: Room in the slot.
        release: What the signed metadata say of the image.
        index: Its chunk index, parsed against the signed sizes; None when it has none.
        source: Where the published file comes from.
        journal: What an earlier write of the same file left.
        cancelled: Says whether to stop.
        progress: Takes image bytes done and image bytes in all.
        limits: Bounds on memory and on the work that a power cut costs.

    Raises:
        ImageError: When the image does not fit or its bytes are not the signed ones.
        DownloadError: When its bytes cannot be had.
        StorageError: When the slot or the journal cannot be written.
        OperatorError: `CANCELLED`.
    """
    manifest = release.manifest
    image_format = images.get(manifest.format)
    if manifest.image_size > slot_bytes:
        raise ImageError(
            Code.IMAGE_TOO_LARGE,
            f"The image has {manifest.image_size} bytes and the slot {slot_bytes}",
            on=release.path,
        )
    with contextlib.closing(SlotFile(fd)) as slot:
        if index is None:
            file_writer = FileWriter(slot, release, image_format, source, limits)
            image_hash = file_writer.write(cancelled, progress)
            return WriteResult(release.file_size, manifest.image_size, image_hash)
        with journal:
            writer = ChunkWriter(slot, index, image_format, source, journal, limits)
            writer.write(cancelled, progress)
        return WriteResult(writer.bytes_fetched, writer.bytes_written, None)
