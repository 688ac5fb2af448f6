# SPDX-License-Identifier: Apache-2.0
"""The chunk journal after power cuts and on bytes that nobody wrote."""

from __future__ import annotations

import zlib
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puad.writer import ChunkJournal

HASH = "ab" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def listed(path: Path, file_hash: str = HASH) -> frozenset[int]:
    with ChunkJournal(path, file_hash) as journal:
        return journal.chunks


def filled(path: Path, *batches: list[int]) -> bytes:
    with ChunkJournal(path, HASH) as journal:
        for batch in batches:
            journal.add(batch)
    return path.read_bytes()


def test_journal_when_new_is_empty_and_not_resumed(path: Path) -> None:
    with ChunkJournal(path, HASH) as journal:
        assert not journal.resumed
        assert journal.chunks == frozenset()
    with ChunkJournal(path, HASH) as journal:
        assert journal.resumed


def test_journal_gives_back_what_was_added(path: Path) -> None:
    filled(path, [0, 1, 2], [7, 5, 6], [], [9, 11])
    assert listed(path) == {0, 1, 2, 5, 6, 7, 9, 11}


def test_journal_of_another_file_begins_anew(path: Path) -> None:
    filled(path, [1])
    assert listed(path, "cd" * 32) == frozenset()
    assert listed(path) == frozenset()


def test_journal_torn_at_any_byte_lists_only_whole_lines(path: Path) -> None:
    batches = [[0, 1, 2, 3], [4], [5, 6, 7], [100]]
    whole = filled(path, *batches)
    good = [frozenset(chain(*batches[:count])) for count in range(len(batches) + 1)]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert listed(path) in good
    path.write_bytes(whole)
    assert listed(path) == good[-1]


def test_journal_with_torn_tail_can_be_continued(path: Path) -> None:
    whole = filled(path, [0], [1])
    path.write_bytes(whole[:-3])
    with ChunkJournal(path, HASH) as journal:
        journal.add([5])
    assert listed(path) == {0, 5}


@pytest.mark.parametrize("bit", range(8))
def test_journal_with_any_flipped_bit_lists_nothing_else(path: Path, bit: int) -> None:
    whole = filled(path, [0, 1, 2, 3], [4], [5, 6, 7])
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
        assert listed(path) <= set(range(8))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_journal_of_any_bytes_opens(path: Path, tail: bytes) -> None:
    head = filled(path)
    path.write_bytes(head + tail)
    assert max(listed(path), default=0) <= 1 << 17


def test_journal_of_absurd_size_begins_anew(path: Path) -> None:
    whole = filled(path, [1])
    with path.open("wb") as file:
        file.write(whole)
        file.truncate(64 << 20)
    assert listed(path) == frozenset()
    assert path.stat().st_size < 1000


def test_journal_with_backward_range_lists_nothing(path: Path) -> None:
    filled(path)
    from puad.writer.chunk_journal import _line  # noqa: PLC0415 -- only this test forges a line

    with path.open("ab") as file:
        file.write(_line("9 3"))
    assert listed(path) == frozenset()


def test_journal_that_lists_everything_again_and_again_is_not_read_to_its_end(path: Path) -> None:
    filled(path)
    line = b"0 131071"
    lines = b"%s %08x\n" % (line, zlib.crc32(line))
    last = b"131072 131072"
    with path.open("ab") as journal:
        journal.write(lines * 4 + lines + b"%s %08x\n" % (last, zlib.crc32(last)))
    assert listed(path) == frozenset(range(131_072))
