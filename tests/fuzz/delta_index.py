# SPDX-License-Identifier: Apache-2.0
"""The index of a delta: frames within the delta, windows within the old image."""

from __future__ import annotations

from typing import Any

from puad.core.chunks import Chunk
from puad.core.delta import MAX_DICTIONARY_BYTES, DeltaIndex, parse_delta_index
from puad.core.errors import Code, ImageError
from tests.fuzz.signed_json import mutator, split
from tests.fuzz.target import Target


def check_delta_index(data: bytes) -> str:
    """The first number is the size of the delta, each other one the length of a chunk."""
    numbers, raw = split(data)
    file_size, *lengths = numbers or [0]
    chunks, offset = [], 0
    for length in (length % (4 << 20) + 1 for length in lengths):
        chunks.append(Chunk(offset, length, 0, 0, bytes(32)))
        offset += length
    try:
        index = parse_delta_index(raw, chunks=chunks, file_size=file_size)
    except ImageError as error:
        assert error.code is Code.IMAGE_INVALID
        assert str(error).isprintable()
        return str(error)
    _check_places(index, chunks, file_size)
    assert parse_delta_index(index.dump(), chunks=chunks, file_size=file_size) == index
    return f"{len(index.chunks)} chunks, missing: {index.chunks.count(None)}"


def _check_places(index: DeltaIndex, chunks: list[Chunk], file_size: int) -> None:
    file_end = 0
    for made, chunk in zip(index.chunks, chunks, strict=True):
        if made is None:
            continue
        assert all(0 <= w.offset < w.end <= index.base_size for w in made.windows)
        assert made.dictionary_bytes <= MAX_DICTIONARY_BYTES
        if made.frame is None:
            assert [window.length for window in made.windows] == [chunk.image_length]
        else:
            assert made.frame.offset == file_end
            assert 0 < made.frame.length <= chunk.image_length + (1 << 16)
            file_end = made.frame.end
    assert file_end <= file_size


def _mend(document: Any, numbers: list[int]) -> None:
    """As many chunks as the image has, and a delta as long as its frames."""
    rows = document.get("chunks") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return
    frames = (row[0] for row in rows if isinstance(row, list) and len(row) == 2)
    file_size = sum(frame for frame in frames if isinstance(frame, int) and frame > 0)
    lengths = [*numbers[1:], *[1 << 20] * len(rows)]
    numbers[:] = [file_size % (1 << 44), *lengths[: len(rows)]]


DELTA_INDEX = Target("delta-index", check_delta_index, mutator(_mend))
