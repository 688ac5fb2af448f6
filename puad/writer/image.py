# SPDX-License-Identifier: Apache-2.0
"""Writing one image: the checks that come first, and the choice between the ways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from puad import images
from puad.config import Limits
from puad.core.chunks import ChunkIndex
from puad.core.errors import Code, ImageError
from puad.download.release import Release
from puad.download.source import Source
from puad.images import FramedFormat
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.chunk_writer import ChunkWriter, FullFile
from puad.writer.deltas import Deltas
from puad.writer.destination import Destination
from puad.writer.file_writer import FileWriter
from puad.writer.slot import SlotFile
from puad.writer.spool import Spool
from puad.writer.stream_writer import StreamWriter
from puad.writer.unpacking import PublishedFile


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a finished write did.

    Attributes:
        bytes_fetched: Bytes that came over the wire, of the published file and of a delta.
        bytes_written: Image bytes that went to the slot; what was right already is not counted.
        image_hash: SHA-256 of the image, hex; None where each chunk had its own hash.
        delta_bytes: Those of `bytes_fetched` that came of a delta.
        fallen_back: How many chunks the delta did not give.
    """

    bytes_fetched: int
    bytes_written: int
    image_hash: str | None
    delta_bytes: int = 0
    fallen_back: int = 0

    def __str__(self) -> str:
        return (
            f"wrote {self.bytes_written} bytes; fetched {self.bytes_fetched}, "
            f"{self.delta_bytes} of them of the delta"
        )


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
    deltas: Deltas | None = None,
    spools: Sequence[Spool] = (),
) -> WriteResult:
    """Bring an image to a slot; returns when it is on the medium.

    Args:
        fd: The slot, for reading and writing; it stays the caller's.
        slot_bytes: Room in the slot.
        release: What the signed metadata say of the image.
        index: Its chunk index, parsed against the signed sizes; None when it has none.
        source: Where the published file comes from.
        journal: What an earlier write of the same file left.
        cancelled: Says whether to stop; called in the caller's thread.
        progress: Takes image bytes done and image bytes in all; called in the caller's thread.
        limits: Bounds on memory and on the work that a power cut costs.
        deltas: What makes chunks of what lies on the active slot; None for nothing.
        spools: Boot files that lie inside the published disk and are still wanted.

    Raises:
        PuadError: An image that does not fit or is not the signed one, a download that failed, a
            slot or journal that cannot be written, or `CANCELLED`.
    """
    file = PublishedFile(release, images.get(release.manifest.format), source)
    _require_room(release, slot_bytes)
    root = release.manifest.root_extent
    with contextlib.closing(Destination(SlotFile(fd), root, spools)) as destination:
        if index is None:
            image_hash = FileWriter(destination, file, limits).write(cancelled, progress)
            return WriteResult(release.file_size, release.manifest.image_size, image_hash)
        with journal:
            if not index.framed:
                stream = StreamWriter(destination, index, file, journal, limits)
                stream.write(cancelled, progress)
                return WriteResult(stream.bytes_fetched, stream.bytes_written, None)
            chunks = ChunkWriter(destination, _framed(index, file), journal, limits, deltas)
            chunks.write(cancelled, progress)
        fetched = chunks.delta_bytes + chunks.full_bytes
        return WriteResult(
            fetched, chunks.bytes_written, None, chunks.delta_bytes, chunks.fallen_back
        )


def _framed(index: ChunkIndex, file: PublishedFile) -> FullFile:
    if not isinstance(file.image_format, FramedFormat):
        what = "The chunk index has frames, which files of its format do not have"
        raise ImageError(Code.IMAGE_INVALID, what, on=file.release.path)
    return FullFile(index, file.image_format, file.source)


def _require_room(release: Release, slot_bytes: int) -> None:
    image_size = release.manifest.image_size
    if image_size > slot_bytes:
        what = f"The image has {image_size} bytes and the slot {slot_bytes}"
        raise ImageError(Code.IMAGE_TOO_LARGE, what, on=release.path)
