# SPDX-License-Identifier: Apache-2.0
"""The clock: its floor, and what may raise it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from puad.effects.clock import Clock, build_time
from puad.store import Store

DAY = timedelta(days=1)


def clock(folder: Path, built_at: datetime | None = None, *, synchronised: bool = True) -> Clock:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    return Clock(Store(folder), built_at or long_ago, lambda: synchronised)


def now() -> datetime:
    return datetime.now(UTC)


def test_moment_is_trusted_when_synchronised_and_above_the_floor(tmp_path: Path) -> None:
    moment = clock(tmp_path).moment()

    assert moment.clock_trusted
    assert 0 <= moment.spread < 1


def test_moment_below_the_build_time_is_not_trusted(tmp_path: Path) -> None:
    built_at = now() + DAY
    ahead = clock(tmp_path, built_at)

    assert not ahead.moment().clock_trusted
    assert ahead.reference_time() == built_at


def test_moment_of_an_unsynchronised_clock_is_judged_at_the_floor(tmp_path: Path) -> None:
    free = clock(tmp_path, synchronised=False)

    assert not free.moment().clock_trusted
    assert free.reference_time() == free.floor


def test_floor_stands_above_a_clock_that_is_certainly_wrong_only(tmp_path: Path) -> None:
    built_at = now() + DAY
    assert clock(tmp_path, built_at).floor_above_the_clock() == built_at
    assert clock(tmp_path).floor_above_the_clock() is None
    assert clock(tmp_path, synchronised=False).floor_above_the_clock() is None


def test_keep_follows_the_clock_only_as_far_as_signatures_vouch(tmp_path: Path) -> None:
    kept = clock(tmp_path)
    start = kept.floor
    spoofed = datetime(2060, 1, 1, tzinfo=UTC)

    kept.keep(spoofed)
    assert kept.floor == start
    until = now() + DAY
    kept.vouch(since=start, until=until)
    kept.keep(spoofed)

    assert kept.floor == until


def test_floor_outlives_a_restart_and_never_sinks(tmp_path: Path) -> None:
    since = now() - DAY
    clock(tmp_path).vouch(since=since)

    again = clock(tmp_path)
    again.vouch(since=since - DAY)
    again.keep(since - DAY)

    assert again.floor == since


@pytest.mark.parametrize("torn", [b"{", b'{"schema": 1, "floor": 7}', b'{"schema": 1}'])
def test_torn_floor_falls_back_to_the_build_time(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "clock.json").write_bytes(torn)
    built_at = now() - DAY

    assert clock(tmp_path, built_at).floor == built_at


def test_torn_floor_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "clock.json").write_bytes(b"{")

    clock(tmp_path)

    assert "clock.json" in caplog.text
    assert "build time" in caplog.text


def test_build_time_of_a_missing_file_is_long_ago(tmp_path: Path) -> None:
    assert build_time(tmp_path / "os-release").year == 1970
