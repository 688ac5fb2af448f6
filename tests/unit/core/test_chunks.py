# SPDX-License-Identifier: Apache-2.0
"""The chunk index: what it takes, and that nothing else gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.chunks import (
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_INDEX_BYTES,
    Chunk,
    ChunkIndex,
    parse_index,
)
from puad.core.errors import Code, ImageError

HASH = "0f" * 32
ROW = [4096, 0, 100, HASH]


def dump(*rows: object, schema: object = 1, image_size: object = 4096) -> bytes:
    return json.dumps({"schema": schema, "image_size": image_size, "chunks": rows}).encode()


def refused(data: bytes, image_size: int = 4096, file_size: int = 1000) -> bool:
    with pytest.raises(ImageError) as caught:
        parse_index(data, image_size=image_size, file_size=file_size)
    return caught.value.code is Code.IMAGE_INVALID


@st.composite
def indexes(draw: st.DrawFn) -> tuple[ChunkIndex, int]:
    """A right index and the size of its file."""
    chunks = []
    image_offset = file_offset = 0
    for _ in range(draw(st.integers(0, 8))):
        length = draw(st.integers(1, MAX_CHUNK_BYTES))
        frame = draw(st.integers(1, length + (1 << 16)))
        file_offset += draw(st.integers(0, 3))
        chunks.append(
            Chunk(
                image_offset, length, file_offset, frame, draw(st.binary(min_size=32, max_size=32))
            )
        )
        image_offset += length
        file_offset += frame
    return ChunkIndex(image_offset, tuple(chunks)), file_offset + draw(st.integers(0, 3))


@given(indexes())
def test_index_that_was_dumped_reads_back_the_same(made: tuple[ChunkIndex, int]) -> None:
    index, file_size = made
    assert parse_index(index.dump(), image_size=index.image_size, file_size=file_size) == index


def test_index_without_frames_reads_back_the_same() -> None:
    index = ChunkIndex(
        4099, (Chunk(0, 4096, 0, 0, bytes.fromhex(HASH)), Chunk(4096, 3, 0, 0, bytes(32)))
    )
    assert not index.framed
    assert json.loads(index.dump())["chunks"] == [[4096, HASH], [3, "00" * 32]]
    assert parse_index(index.dump(), image_size=4099, file_size=10) == index


@pytest.mark.parametrize("row", [[True, HASH], [0, HASH], [1, HASH[1:]], [1, 5], ["1", HASH]])
def test_index_with_a_broken_row_without_frame_is_refused(row: object) -> None:
    assert refused(dump(row, image_size=1), image_size=1)


def test_index_that_mixes_chunks_with_and_without_frames_is_refused() -> None:
    assert refused(dump([2048, 0, 100, HASH], [2048, HASH]))
    assert refused(dump([2048, HASH], [2048, 0, 100, HASH]))


@given(indexes(), st.data())
def test_index_with_another_signed_size_is_refused(
    made: tuple[ChunkIndex, int], data: st.DataObject
) -> None:
    index, file_size = made
    other = data.draw(st.integers(0, 1 << 40).filter(lambda size: size != index.image_size))
    assert refused(index.dump(), other, file_size)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.lists(JSON | st.lists(st.integers(-2, 5000) | st.just(HASH), max_size=5), max_size=4))
def test_index_of_any_rows_is_refused_or_keeps_every_rule(rows: list[Any]) -> None:
    try:
        index = parse_index(dump(*rows), image_size=4096, file_size=1000)
    except ImageError:
        return
    image_offset = file_offset = 0
    for chunk in index.chunks:
        assert chunk.image_offset == image_offset
        assert chunk.file_offset >= file_offset
        assert 0 < chunk.image_length <= MAX_CHUNK_BYTES
        assert len(chunk.sha256) == 32
        image_offset += chunk.image_length
        file_offset = chunk.file_offset + chunk.file_length
    assert image_offset == 4096
    assert file_offset <= 1000


@given(JSON)
def test_index_of_any_document_is_refused(document: Any) -> None:
    assert refused(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_index_of_any_bytes_is_refused(data: bytes) -> None:
    assert refused(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"[" * 100_000, b'{"schema": 1, "image_size": 4096, "chunks": ' + b"9" * 9000 + b"}"],
    ids=["empty", "deep", "huge-number"],
)
def test_index_of_hostile_json_is_refused(data: bytes) -> None:
    assert refused(data)


def test_index_longer_than_allowed_is_refused_unread() -> None:
    assert refused(dump(ROW) + b" " * MAX_INDEX_BYTES)


def test_index_of_too_many_chunks_is_refused() -> None:
    data = dump(*[[1, 0, 1, ""]] * (MAX_CHUNKS + 1))
    assert refused(data, MAX_CHUNKS + 1, MAX_CHUNKS + 1)


def test_index_of_one_chunk_is_taken() -> None:
    index = parse_index(dump(ROW), image_size=4096, file_size=100)
    assert index.chunks == (Chunk(0, 4096, 0, 100, bytes.fromhex(HASH)),)


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_index_of_another_schema_is_refused(schema: object) -> None:
    assert refused(dump(ROW, schema=schema))


@pytest.mark.parametrize("image_size", [4095, 4097, "4096", None])
def test_index_with_another_image_size_is_refused(image_size: object) -> None:
    assert refused(dump(ROW, image_size=image_size))


@pytest.mark.parametrize(
    "row",
    [
        [0, 0, 100, HASH],
        [-4096, 0, 100, HASH],
        [True, 0, 100, HASH],
        [4096, -1, 100, HASH],
        [4096, 0, 0, HASH],
        [4096, 0, -1, HASH],
        [4096, 0, 4096 + (1 << 16) + 1, HASH],
        [4096.0, 0, 100, HASH],
        ["4096", 0, 100, HASH],
        [4096, 0, 100, HASH[:-2]],
        [4096, 0, 100, HASH + "00"],
        [4096, 0, 100, HASH[:-2] + "  "],
        [4096, 0, 100, HASH[:-1] + "g"],
        [4096, 0, 100, HASH[:-1] + "\N{FULLWIDTH DIGIT ONE}"],
        [4096, 0, 100, 5],
        [4096, 0, 100],
        [4096, 0, 100, HASH, 1],
        [],
        {},
        None,
    ],
)
def test_index_with_a_broken_row_is_refused(row: object) -> None:
    assert refused(dump(row), file_size=1 << 20)


def test_index_with_a_chunk_over_the_bound_is_refused() -> None:
    size = MAX_CHUNK_BYTES + 1
    assert refused(dump([size, 0, 100, HASH], image_size=size), size)


@pytest.mark.parametrize("file_size", [99, 0])
def test_index_with_a_frame_outside_the_file_is_refused(file_size: int) -> None:
    assert refused(dump(ROW), file_size=file_size)


def test_index_with_frames_over_one_another_is_refused() -> None:
    rows = [[2048, 0, 100, HASH], [2048, 99, 100, HASH]]
    assert refused(dump(*rows))


def test_index_with_frames_out_of_order_is_refused() -> None:
    rows = [[2048, 100, 100, HASH], [2048, 0, 100, HASH]]
    assert refused(dump(*rows))


def test_index_with_offsets_beyond_2_gib_and_4_gib_is_taken() -> None:
    big = (1 << 32) + 1
    index = parse_index(dump([4096, big, 100, HASH]), image_size=4096, file_size=big + 100)
    assert index.chunks[0].file_offset == big
    assert refused(dump([4096, big, 100, HASH]), file_size=big + 99)
