# SPDX-License-Identifier: Apache-2.0
"""The index of a delta: what it takes, and that nothing else gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.chunks import MAX_FRAME_OVERHEAD_BYTES, MAX_INDEX_BYTES, Chunk
from puad.core.delta import (
    MAX_DICTIONARY_BYTES,
    MAX_WINDOWS,
    DeltaChunk,
    DeltaIndex,
    parse_delta_index,
)
from puad.core.errors import Code, ImageError
from puad.core.extent import Extent

BASE = 1 << 30
LENGTH = 4096
ONE = (Chunk(0, LENGTH, 0, 10, bytes(32)),)
TWO = (*ONE, Chunk(LENGTH, LENGTH, 10, 10, bytes(32)))


def dump(*made: object, schema: object = 1, base_size: object = BASE) -> bytes:
    return json.dumps({"schema": schema, "base_size": base_size, "chunks": made}).encode()


def refused(data: bytes, chunks: tuple[Chunk, ...] = ONE, file_size: int = 1000) -> bool:
    with pytest.raises(ImageError) as caught:
        parse_delta_index(data, chunks=chunks, file_size=file_size)
    return caught.value.code is Code.IMAGE_INVALID


@st.composite
def indexes(draw: st.DrawFn) -> tuple[DeltaIndex, tuple[Chunk, ...], int]:
    """A right index, the chunks of its image, and the size of its file."""
    base_size = draw(st.integers(1 << 20, BASE))
    chunks: list[Chunk] = []
    made: list[DeltaChunk | None] = []
    file_end = 0
    for number in range(draw(st.integers(0, 6))):
        chunks.append(Chunk(number * LENGTH, LENGTH, 0, 0, bytes(32)))
        kind = draw(st.sampled_from(["lacks", "refers", "frame"]))
        if kind == "lacks":
            made.append(None)
        elif kind == "refers":
            offset = draw(st.integers(0, base_size - LENGTH))
            made.append(DeltaChunk(None, (Extent(offset, LENGTH),)))
        else:
            length = draw(st.integers(1, LENGTH + MAX_FRAME_OVERHEAD_BYTES))
            windows = [
                Extent(offset, draw(st.integers(1, min(base_size - offset, 1 << 19))))
                for offset in draw(st.lists(st.integers(0, base_size - 1), max_size=4))
            ]
            made.append(DeltaChunk(Extent(file_end, length), tuple(windows)))
            file_end += length
    return DeltaIndex(base_size, tuple(made)), tuple(chunks), file_end + draw(st.integers(0, 9))


@given(indexes())
def test_index_that_was_dumped_reads_back_the_same(
    made: tuple[DeltaIndex, tuple[Chunk, ...], int],
) -> None:
    index, chunks, file_size = made
    assert parse_delta_index(index.dump(), chunks=chunks, file_size=file_size) == index


def test_kinds_of_chunks() -> None:
    data = dump([7, [0, 10, 100, 20]], [4096])
    index = parse_delta_index(data, chunks=TWO, file_size=7)
    frame, reference = index.chunks
    assert frame == DeltaChunk(Extent(0, 7), (Extent(0, 10), Extent(100, 20)))
    assert frame is not None
    assert frame.dictionary_bytes == 30
    assert reference == DeltaChunk(None, (Extent(4096, LENGTH),))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(
    st.lists(JSON | st.tuples(st.integers(-2, 5000), st.lists(st.integers(-2, 5000))), max_size=3)
)
def test_index_of_any_rows_is_refused_or_stays_within_both_files(made: list[Any]) -> None:
    try:
        index = parse_delta_index(dump(*made, base_size=4200), chunks=TWO, file_size=1000)
    except ImageError:
        return
    assert len(index.chunks) == len(TWO)
    end = 0
    for chunk in index.chunks:
        assert all(0 <= w.offset < w.end <= 4200 for w in (chunk.windows if chunk else ()))
        if chunk and chunk.frame:
            assert chunk.frame.offset == end
            end = chunk.frame.end
    assert end <= 1000


@given(JSON)
def test_index_of_any_document_is_refused(document: Any) -> None:
    assert refused(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_index_of_any_bytes_is_refused(data: bytes) -> None:
    assert refused(data)


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, dump([]) + b" " * MAX_INDEX_BYTES])
def test_index_of_hostile_bytes_is_refused(data: bytes) -> None:
    assert refused(data)


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_index_of_another_schema_is_refused(schema: object) -> None:
    assert refused(dump([], schema=schema))


@pytest.mark.parametrize("base_size", [0, -1, (1 << 40) + 1, True, "1", None])
def test_index_of_an_impossible_old_image_is_refused(base_size: object) -> None:
    assert refused(dump([], base_size=base_size))


@pytest.mark.parametrize("chunks", [(), TWO])
def test_index_with_another_number_of_chunks_is_refused(chunks: tuple[Chunk, ...]) -> None:
    assert refused(dump([]), chunks)


@pytest.mark.parametrize(
    "row",
    [
        None,
        {},
        0,
        [-1],
        [BASE - LENGTH + 1],
        [True],
        [1.0],
        [0, []],
        [-1, []],
        [True, []],
        [LENGTH + MAX_FRAME_OVERHEAD_BYTES + 1, []],
        [1001, []],
        [1, {}],
        [1, [0]],
        [1, [0, 0]],
        [1, [0, -1]],
        [1, [-1, 1]],
        [1, [BASE, 1]],
        [1, [BASE - 1, 2]],
        [1, [True, 1]],
        [1, [0, MAX_DICTIONARY_BYTES + 1]],
        [1, [0, MAX_DICTIONARY_BYTES, 0, 1]],
        [1, [0, 1] * (MAX_WINDOWS + 1)],
        [1, [0, 1], 2],
    ],
)
def test_index_with_a_broken_row_is_refused(row: object) -> None:
    assert refused(dump(row))


def test_index_with_more_frames_than_the_delta_has_bytes_is_refused() -> None:
    parse_delta_index(dump([500, []], [500, []]), chunks=TWO, file_size=1000)
    assert refused(dump([500, []], [501, []]), TWO)
