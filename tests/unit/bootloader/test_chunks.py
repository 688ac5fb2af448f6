# SPDX-License-Identifier: Apache-2.0
"""The chunk index, which has a twin in puad: the two take and refuse the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootloader.chunks import MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_INDEX_BYTES, parse_index
from bootloader.errors import BootloaderError, ErrorName
from puad.core import chunks as puad_chunks
from puad.core.errors import ImageError

HASH = "ab" * 32
Read = list[tuple[int, int, bytes]] | None


def dump(*rows: object, schema: object = 1, image_size: object = 4096) -> bytes:
    return json.dumps({"schema": schema, "image_size": image_size, "chunks": rows}).encode()


def ours(data: bytes, image_size: int, file_size: int) -> Read:
    """What boot control makes of an index; None when it refuses it."""
    try:
        chunks = parse_index(data, image_size=image_size, file_size=file_size)
    except BootloaderError as error:
        if error.name is not ErrorName.TARGET_UNKNOWN:
            raise
        return None
    return [(chunk.offset, chunk.length, chunk.sha256) for chunk in chunks]


def theirs(data: bytes, image_size: int, file_size: int) -> Read:
    """What puad makes of it."""
    try:
        index = puad_chunks.parse_index(data, image_size=image_size, file_size=file_size)
    except ImageError:
        return None
    return [(chunk.image_offset, chunk.image_length, chunk.sha256) for chunk in index.chunks]


def assert_refused(data: bytes, image_size: int = 4096, file_size: int = 1000) -> None:
    assert theirs(data, image_size, file_size) is None
    assert ours(data, image_size, file_size) is None


NUMBERS = (
    st.sampled_from([-1, 0, 1, 2, 3, 500, 1000, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, 1 << 80])
    | st.booleans()
    | st.just(1.0)
)
HASHES = st.sampled_from([HASH, "0" * 64, "AB" * 32, HASH[1:], HASH + "0", f"{HASH}\n", 5, None])
ROWS = (
    st.tuples(NUMBERS, NUMBERS, NUMBERS, HASHES)
    | st.tuples(NUMBERS, HASHES)
    | st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(1, 3), st.just(HASH))
    | st.tuples(st.integers(1, 3), st.just(HASH))
    | st.lists(NUMBERS | HASHES, max_size=5)
    | st.text(max_size=3)
)


@given(st.lists(ROWS, max_size=5), st.sampled_from([1, 2, True, 1.0, None]), st.data())
def test_index_of_any_rows_is_read_as_puad_reads_it(
    rows: list[Any], schema: object, data: st.DataObject
) -> None:
    lengths = [row[0] for row in rows if row and isinstance(row[0], int)]
    image_size = data.draw(st.just(sum(lengths)) | st.integers(0, 10))
    said = data.draw(st.just(image_size) | st.just(float(image_size)) | st.none())
    file_size = data.draw(st.integers(0, 30))
    index = dump(*rows, schema=schema, image_size=said)
    assert ours(index, image_size, file_size) == theirs(index, image_size, file_size)


@given(st.lists(st.integers(1, MAX_CHUNK_BYTES), min_size=1, max_size=20), st.booleans())
def test_index_that_keeps_every_rule_is_taken(lengths: list[int], framed: bool) -> None:
    rows = [[n, 2 * at, 1, HASH] if framed else [n, HASH] for at, n in enumerate(lengths)]
    index = dump(*rows, image_size=sum(lengths))
    read = ours(index, sum(lengths), 2 * len(lengths))
    assert read is not None
    assert read == theirs(index, sum(lengths), 2 * len(lengths))
    assert [length for _, length, _ in read] == lengths


@given(st.binary(max_size=200))
def test_index_of_any_bytes_is_refused(data: bytes) -> None:
    assert_refused(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"schema":' * 100_000,
        b'{"schema": 1, "image_size": 4096, "chunks": [[' + b"9" * 10_000 + b"]]}",
        b'{"schema": 1, "image_size": 4096, "chunks": [[1e999, "' + HASH.encode() + b'"]]}',
        b'{"schema": 1, "image_size": 4096, "chunks": {"0": 1}}',
        b"\xff\xfe\x00",
        b"null",
        b'"' + b"x" * 100_000,
    ],
)
def test_index_of_hostile_json_is_refused(data: bytes) -> None:
    assert_refused(data)


@pytest.mark.parametrize(
    "rows",
    [
        [[4095, 0, 100, HASH]],
        [[4097, 0, 100, HASH]],
        [[4096, 0, 100, HASH], [1, 100, 1, HASH]],
        [[2048, 0, 100, HASH], [2048, 99, 100, HASH]],
        [[2048, 100, 100, HASH], [2048, 0, 100, HASH]],
        [[2048, 0, 100, HASH], [2048, 900, 101, HASH]],
        [[4096, -1, 100, HASH]],
        [[4096, 0, 0, HASH]],
        [[4096, 0, 4096 + (1 << 16) + 1, HASH]],
        [[2048, 0, 100, HASH], [2048, HASH]],
        [[2048, HASH], [2048, 0, 100, HASH]],
        [],
    ],
    ids=[
        "too short",
        "too long",
        "one more",
        "overlap",
        "order",
        "outside",
        "before",
        "empty frame",
        "long frame",
        "frames, then none",
        "none, then frames",
        "nothing",
    ],
)
def test_index_that_lies_is_refused(rows: list[Any]) -> None:
    assert_refused(dump(*rows), file_size=1000)


def test_index_of_too_many_chunks_is_refused() -> None:
    rows = [[1, HASH]] * (MAX_CHUNKS + 1)
    assert_refused(dump(*rows, image_size=len(rows)), image_size=len(rows))


def test_bounds_are_those_of_puad() -> None:
    assert (MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_INDEX_BYTES) == (
        puad_chunks.MAX_CHUNK_BYTES,
        puad_chunks.MAX_CHUNKS,
        puad_chunks.MAX_INDEX_BYTES,
    )
