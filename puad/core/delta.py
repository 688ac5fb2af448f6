# SPDX-License-Identifier: Apache-2.0
"""Deltas: published files that make an image out of an older one, as the manifest lists them.

A delta has the chunks of the image itself, with the same signed hashes. Its own index, a small
signed file beside it, says for each chunk how it comes about (docs/adr/0015)::

    {"schema": 1, "base_size": 1073741824,
     "chunks": [[], [1048576], [4711, [0, 4096, 65536, 131072]], ...]}

A row is `[]` when the delta does not have the chunk, which then comes from the full file;
`[offset]` when the chunk stands at that offset of the old image; or `[length, windows]` when it is
made of the next so many bytes of the delta, a zstd frame, with the windows as its dictionary:
offset and length of each run of the old image, one run after the other.

What a delta makes is checked by the chunk's own hash, so neither it nor the old image is trusted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from puad.core.chunks import MAX_CHUNKS, MAX_FRAME_OVERHEAD_BYTES, MAX_INDEX_BYTES, Chunk
from puad.core.errors import Code, ImageError
from puad.core.extent import Extent
from puad.core.signed_fields import PATH, SHA256, WORD, is_number, rows, text

MAX_DELTAS: Final = 16
MAX_DICTIONARY_BYTES: Final = 8 << 20
MAX_WINDOWS: Final = 64
MAX_FRAME_WINDOW_BYTES: Final = 16 << 20
"""The largest window of zstd that a frame may ask a node for: not one of the old image's."""

_MAX_BASE_BYTES: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta that the manifest lists.

    Attributes:
        from_version: The image id of the old image.
        from_hash: Its image hash, hex.
        path: Target path of the delta.
        index: Target path of its index.
    """

    from_version: str
    from_hash: str
    path: str
    index: str

    def dump(self) -> dict[str, Any]:
        """Its row in the manifest."""
        return {
            "from_version": self.from_version,
            "from_sha256": self.from_hash,
            "path": self.path,
            "index": self.index,
        }


@dataclass(frozen=True, slots=True)
class DeltaChunk:
    """How a chunk comes about.

    Attributes:
        frame: Where its frame lies in the delta; None when the old image has the chunk as it is.
        windows: Which runs of the old image are its dictionary, or the chunk itself.
    """

    frame: Extent | None
    windows: tuple[Extent, ...]

    @property
    def dictionary_bytes(self) -> int:
        """How much of the old image it takes."""
        return sum(window.length for window in self.windows)


@dataclass(frozen=True, slots=True)
class DeltaIndex:
    """How each chunk of an image comes about, in order; None for one that the delta lacks."""

    base_size: int
    chunks: tuple[DeltaChunk | None, ...]

    def dump(self) -> bytes:
        """The index in its published form."""
        document = {
            "schema": 1,
            "base_size": self.base_size,
            "chunks": [_dump_chunk(chunk) for chunk in self.chunks],
        }
        return json.dumps(document, separators=(",", ":")).encode()


def parse_deltas(document: Mapping[str, Any]) -> tuple[Delta, ...]:
    """Read the `deltas` of a manifest.

    Raises:
        TrustError: `MANIFEST_INVALID`.
    """
    return tuple(
        Delta(
            from_version=text(row, "from_version", WORD),
            from_hash=text(row, "from_sha256", SHA256),
            path=text(row, "path", PATH),
            index=text(row, "index", PATH),
        )
        for row in rows(document, "deltas", MAX_DELTAS)
    )


def parse_delta_index(data: bytes, *, chunks: Sequence[Chunk], file_size: int) -> DeltaIndex:
    """Read an index whose hash has been verified, and hold it against the image's chunks.

    Args:
        data: The index as published.
        chunks: The chunks of the image.
        file_size: Signed size of the delta, in bytes.

    Raises:
        ImageError: `IMAGE_INVALID`, when it has another form, names bytes outside the delta or the
            old image, or wants more memory than a node gives it.
    """
    if len(data) > MAX_INDEX_BYTES:
        raise _broken(f"it has {len(data)} bytes, more than {MAX_INDEX_BYTES}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _broken("it is not JSON") from error
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise _broken("its schema is not 1")
    base_size, made = document.get("base_size"), document.get("chunks")
    if not is_number(base_size, 1, _MAX_BASE_BYTES):
        raise _broken("the size of the old image is missing or out of range")
    if not isinstance(made, list) or not len(made) == len(chunks) <= MAX_CHUNKS:
        raise _broken(f"it does not have the image's {len(chunks)} chunks")
    return DeltaIndex(base_size, _read_rows(made, chunks, base_size, file_size))


def _read_rows(
    made: list[Any], chunks: Sequence[Chunk], base_size: int, file_size: int
) -> tuple[DeltaChunk | None, ...]:
    file_end = 0
    read: list[DeltaChunk | None] = []
    for number, (row, chunk) in enumerate(zip(made, chunks, strict=True)):
        match row:
            case []:
                read.append(None)
            case [offset] if is_number(offset, 0, base_size - chunk.image_length):
                read.append(DeltaChunk(None, (Extent(offset, chunk.image_length),)))
            case [length, list(pairs)] if is_number(
                length, 1, chunk.image_length + MAX_FRAME_OVERHEAD_BYTES
            ):
                frame = Extent(file_end, length)
                read.append(DeltaChunk(frame, _read_windows(pairs, number, base_size)))
                file_end = frame.end
            case _:
                raise _broken(f"chunk {number} is none of the three kinds")
    if file_end > file_size:
        raise _broken(f"its frames have {file_end} bytes, the delta {file_size}")
    return tuple(read)


def _read_windows(pairs: list[Any], number: int, base_size: int) -> tuple[Extent, ...]:
    if len(pairs) % 2 or len(pairs) > 2 * MAX_WINDOWS:
        raise _broken(f"chunk {number} has {len(pairs)} numbers for its windows")
    windows = []
    for offset, length in zip(pairs[::2], pairs[1::2], strict=True):
        if not (is_number(offset, 0, base_size) and is_number(length, 1, base_size - offset)):
            raise _broken(f"a window of chunk {number} lies outside the old image")
        windows.append(Extent(offset, length))
    if sum(window.length for window in windows) > MAX_DICTIONARY_BYTES:
        raise _broken(f"the windows of chunk {number} have more than {MAX_DICTIONARY_BYTES} bytes")
    return tuple(windows)


def _dump_chunk(chunk: DeltaChunk | None) -> list[Any]:
    if chunk is None:
        return []
    if chunk.frame is None:
        return [chunk.windows[0].offset]
    return [chunk.frame.length, [n for w in chunk.windows for n in (w.offset, w.length)]]


def _broken(why: str) -> ImageError:
    return ImageError(Code.IMAGE_INVALID, f"the index of the delta cannot be used: {why}")
