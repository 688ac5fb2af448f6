# SPDX-License-Identifier: Apache-2.0
"""The reader of write logs, against logs that are written here byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.powercut.write_log import DISCARD, FUA, WriteLog, WriteLogError
from tests.unit.powercut.logs import flush, log_bytes, write


def read(path: Path, data: bytes) -> WriteLog:
    path.write_bytes(data)
    return WriteLog(path)


def test_requests_gives_what_was_written_in_order(tmp_path: Path) -> None:
    entries = [write(8, b"a" * 1024), flush(), write(3, b"b" * 512, FUA)]

    log = read(tmp_path / "log", log_bytes(entries))

    first, second, third = log.requests()
    assert (first.sector, first.sectors, log.data(first)) == (8, 2, b"a" * 1024)
    assert second.is_flush
    assert not second.is_write
    assert third.is_durable
    assert log.data(third) == b"b" * 512


def test_requests_scales_sectors_of_4096_bytes(tmp_path: Path) -> None:
    entries = [write(2, b"c" * 4096), write(5, b"d" * 8192)]

    log = read(tmp_path / "log", log_bytes(entries, sector=4096))

    first, second = log.requests()
    assert (first.sector, first.sectors) == (16, 8)
    assert (second.sector, second.sectors) == (40, 16)
    assert log.data(second) == b"d" * 8192


def test_requests_of_a_log_without_its_end_stops_before_the_torn_one(tmp_path: Path) -> None:
    whole = log_bytes([write(1, b"a" * 512), write(2, b"b" * 2048)])

    log = read(tmp_path / "log", whole[:-600])

    assert [request.sector for request in log.requests()] == [1]


def test_requests_gives_a_discard_without_data(tmp_path: Path) -> None:
    log = read(tmp_path / "log", log_bytes([(64, 4096, DISCARD, b""), write(1, b"a" * 512)]))

    discard, after = log.requests()

    assert (discard.sectors, discard.place) == (4096, 0)
    assert after.sector == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 512,
        log_bytes([], magic=1),
        log_bytes([], version=2),
        log_bytes([], sector=513),
        log_bytes([], entries=1 << 40),
    ],
)
def test_write_log_of_what_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(WriteLogError):
        read(tmp_path / "log", data)


def test_requests_with_a_flag_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    log = read(tmp_path / "log", log_bytes([write(0, b"x" * 512, 64)]))

    with pytest.raises(WriteLogError):
        list(log.requests())
