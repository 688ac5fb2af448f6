# SPDX-License-Identifier: Apache-2.0
"""The chunk index: the signed hashes of an image, chunk by chunk, so that they can be told at once.

Form and rules are the publisher's (docs/architecture.md, Images). Boot control imports nothing of
puad, so it has its own few lines, and a test holds the two against each other. The form is one JSON
object::

    {"schema": 1, "image_size": 2147483648,
     "chunks": [[image_length, file_offset, file_length, "<sha256 hex>"], ...]}

A row is `[image_length, "<sha256 hex>"]` when the published file has no frames, in all rows or in
none. Chunks follow one another without gaps and make exactly the image; frames lie in the published
file in the same order and do not overlap. Boot control never reads a frame, but an index that lies
about them is refused as a whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from bootloader.errors import BootloaderError, ErrorName

MAX_CHUNK_BYTES: Final = 4 << 20
MAX_CHUNKS: Final = 1 << 17
MAX_INDEX_BYTES: Final = 16 << 20
_MAX_FRAME_OVERHEAD_BYTES: Final = 1 << 16
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of an image.

    Attributes:
        offset: Where it begins in the image, in bytes.
        length: How long it is, in bytes.
        sha256: SHA-256 of its bytes, 32 raw bytes.
    """

    offset: int
    length: int
    sha256: bytes

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class _Row:
    length: int
    frame_offset: int
    frame_length: int
    sha256: bytes


def parse_index(data: bytes, *, image_size: int, file_size: int) -> tuple[Chunk, ...]:
    """Read an index whose hash has been verified, and hold it against the signed sizes.

    Args:
        data: The index as published, at most `MAX_INDEX_BYTES`.
        image_size: Signed size of the image, in bytes.
        file_size: Signed size of the published file, in bytes.

    Raises:
        BootloaderError: `TargetUnknown`, when it breaks one of the rules above.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _broken("it is not JSON") from error
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise _broken("its schema is not 1")
    rows = document.get("chunks")
    if not isinstance(rows, list) or len(rows) > MAX_CHUNKS:
        raise _broken("its list of chunks is missing or too long")
    chunks = _read_rows(rows, file_size)
    covered = chunks[-1].end if chunks else 0
    if document.get("image_size") != image_size or covered != image_size:
        raise _broken(f"it covers {covered} bytes of an image of {image_size}")
    return chunks


def _read_rows(rows: list[Any], file_size: int) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    image_end = file_end = 0
    for number, value in enumerate(rows):
        row = _read_row(value, number)
        if len(value) != len(rows[0]):
            raise _broken("some of its chunks have frames and others have none")
        if row.frame_offset < file_end or row.frame_offset + row.frame_length > file_size:
            raise _broken(f"frame {number} lies outside the file or over another frame")
        chunks.append(Chunk(image_end, row.length, row.sha256))
        image_end += row.length
        file_end = row.frame_offset + row.frame_length
    return tuple(chunks)


def _read_row(value: Any, number: int) -> _Row:  # noqa: ANN401 -- still untyped JSON
    match value:
        case [int(length), int(offset), int(frame), str(digest)] if not any(
            isinstance(number, bool) for number in value
        ):
            least_frame = 1
        case [int(length), str(digest)] if not isinstance(length, bool):
            offset = frame = least_frame = 0
        case _:
            raise _broken(f"chunk {number} is not [length, offset, length, hash]")
    if not 0 < length <= MAX_CHUNK_BYTES:
        raise _broken(f"chunk {number} has {length} bytes")
    if not least_frame <= frame <= length + _MAX_FRAME_OVERHEAD_BYTES or offset < 0:
        raise _broken(f"frame {number} has {frame} bytes at {offset}")
    if not _SHA256.fullmatch(digest):
        raise _broken(f"the hash of chunk {number} is not a SHA-256 in hexadecimal")
    return _Row(length, offset, frame, bytes.fromhex(digest))


def _broken(why: str) -> BootloaderError:
    what = f"the chunk index describes no image: {why}"
    return BootloaderError(ErrorName.TARGET_UNKNOWN, what)
