# SPDX-License-Identifier: Apache-2.0
"""The chunk index: which bytes of a published file make which bytes of an image.

An index is a small signed file beside a published image (docs/architecture.md, Images). It lists
chunks in order and without gaps of what the file unpacks to: a root image, or a whole disk. Each
says how long it is, its SHA-256, and where in the published file the frame lies that makes it. A
file that can only be unpacked from its beginning has no frames; its rows have length and hash
alone. The form is one JSON object::

    {"schema": 1, "image_size": 2147483648,
     "chunks": [[image_length, file_offset, file_length, "<sha256 hex>"], ...]}

Rules, each checked by `parse_index` before anything else may look at the index:

1. Chunks follow one another without gaps, so the sum of their lengths is `image_size`.
2. Frames lie in the file in the same order, and do not overlap.
3. No chunk is empty or longer than `MAX_CHUNK_BYTES`, and no frame is longer than what zstd can
   make of a chunk that it cannot compress.
4. There are at most `MAX_CHUNKS` of them, with frames or without, never mixed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from puad.core.errors import Code, ImageError

CHUNK_BYTES: Final = 1 << 20
MAX_CHUNK_BYTES: Final = 4 << 20
MAX_CHUNKS: Final = 1 << 17
MAX_INDEX_BYTES: Final = 16 << 20
MAX_FRAME_OVERHEAD_BYTES: Final = 1 << 16
MAX_FRAME_WINDOW_BYTES: Final = 8 << 20
"""The largest window that a zstd frame of a published file may ask a node for."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of an image and the frame that makes it.

    Attributes:
        image_offset: Where it begins in the image, in bytes.
        image_length: How long it is in the image, in bytes.
        file_offset: Where its frame begins in the published file, in bytes.
        file_length: How long its frame is, in bytes; 0 when it has none.
        sha256: SHA-256 of its image bytes, 32 raw bytes.
    """

    image_offset: int
    image_length: int
    file_offset: int
    file_length: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class ChunkIndex:
    """All chunks of what a published file unpacks to, in order and without gaps.

    Attributes:
        image_size: Its size in bytes.
        chunks: The chunks.
    """

    image_size: int
    chunks: tuple[Chunk, ...]

    @property
    def framed(self) -> bool:
        """Whether each chunk has a frame of its own, which makes it without the others."""
        return all(chunk.file_length for chunk in self.chunks)

    def dump(self) -> bytes:
        """The index in its published form."""
        framed = self.framed
        rows = [
            [c.image_length, *([c.file_offset, c.file_length] if framed else []), c.sha256.hex()]
            for c in self.chunks
        ]
        document = {"schema": 1, "image_size": self.image_size, "chunks": rows}
        return json.dumps(document, separators=(",", ":")).encode()


def parse_index(data: bytes, *, image_size: int, file_size: int) -> ChunkIndex:
    """Read an index whose hash has been verified, and hold it against the signed sizes.

    Args:
        data: The index as published.
        image_size: Signed size of the image, in bytes.
        file_size: Signed size of the published file, in bytes.

    Raises:
        ImageError: `IMAGE_INVALID`, when the index breaks one of the rules above.
    """
    if len(data) > MAX_INDEX_BYTES:
        raise _broken(f"it has {len(data)} bytes, more than {MAX_INDEX_BYTES}")
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
    if len({chunk.file_length > 0 for chunk in chunks}) > 1:
        raise _broken("some of its chunks have frames and others have none")
    covered = sum(chunk.image_length for chunk in chunks)
    if document.get("image_size") != image_size or covered != image_size:
        raise _broken(f"it covers {covered} bytes of an image of {image_size}")
    return ChunkIndex(image_size, chunks)


def _read_rows(rows: list[Any], file_size: int) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    image_offset = file_end = 0
    for number, row in enumerate(rows):
        chunk = _read_row(row, number, image_offset)
        if chunk.file_offset < file_end or chunk.file_offset + chunk.file_length > file_size:
            raise _broken(f"frame {number} lies outside the file or over another frame")
        chunks.append(chunk)
        image_offset += chunk.image_length
        file_end = chunk.file_offset + chunk.file_length
    return tuple(chunks)


def _read_row(row: Any, number: int, image_offset: int) -> Chunk:  # noqa: ANN401 - still untyped JSON
    match row:
        case [int(length), int(file_offset), int(file_length), str(digest)] if not any(
            isinstance(value, bool) for value in row
        ):
            least_frame = 1
        case [int(length), str(digest)] if not isinstance(length, bool):
            file_offset = file_length = least_frame = 0
        case _:
            raise _broken(f"chunk {number} is not [length, offset, length, hash]")
    if not 0 < length <= MAX_CHUNK_BYTES:
        raise _broken(f"chunk {number} has {length} bytes")
    if not least_frame <= file_length <= length + MAX_FRAME_OVERHEAD_BYTES or file_offset < 0:
        raise _broken(f"frame {number} has {file_length} bytes at {file_offset}")
    if not _SHA256.fullmatch(digest):
        raise _broken(f"the hash of chunk {number} is not a SHA-256 in hexadecimal")
    return Chunk(image_offset, length, file_offset, file_length, bytes.fromhex(digest))


def _broken(why: str) -> ImageError:
    return ImageError(Code.IMAGE_INVALID, f"the chunk index cannot be used: {why}")
