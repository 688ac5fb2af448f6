# SPDX-License-Identifier: Apache-2.0
"""Times as an operator reads them."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from orchestrator_stub.web import clock
from orchestrator_stub.web.clock import DASH, JOINED, Clock

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 22, 0, tzinfo=ZoneInfo("UTC"))
NOW_S = int(NOW.timestamp())
HERE = Clock(NOW_S, BERLIN)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (-59, "just now"),
        (30, "in under a minute"),
        (-60, "1 min ago"),
        (-7199, "119 min ago"),
        (-7200, "2 h ago"),
        (-172_799, "47 h ago"),
        (-172_800, "2 days ago"),
        (60, "in 1 min"),
        (7200, "in 2 h"),
        (9 * 86_400, "in 9 days"),
    ],
)
def test_distance_uses_one_fitting_unit(seconds: int, text: str) -> None:
    found = clock.distance(seconds)
    assert found.replace(JOINED, " ") == text
    assert not re.search(r"[0-9] ", found)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (8100, "2 h 15 min"),
        (90_061, "1 d 1 h"),
        (86_400, "1 d"),
    ],
)
def test_span_has_at_most_two_units(seconds: int, text: str) -> None:
    units = text.replace(" ", JOINED).replace(f"h{JOINED}", "h ").replace(f"d{JOINED}", "d ")
    assert clock.span(seconds) == units


def test_moment_is_in_the_zone_and_in_utc_for_machines() -> None:
    moment = HERE.moment(NOW_S - 3 * 3600)
    assert moment is not None
    assert moment.ago == f"3{JOINED}h ago"
    assert moment.clock == f"2026-11-28 20:00{JOINED}CET"
    assert moment.iso == "2026-11-28T19:00:00Z"


@pytest.mark.parametrize("time_s", [None, 0])
def test_no_time_is_no_moment(time_s: int | None) -> None:
    assert HERE.moment(time_s) is None


@pytest.mark.parametrize("time_s", [1 << 40, -5, 1 << 62])
def test_absurd_times_are_shown_at_the_bound(time_s: int) -> None:
    assert HERE.moment(time_s) is not None


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (3600, f"Sat 28 Nov 2026, 23:00{DASH}00:00 CET"),
        (1800, f"Sat 28 Nov 2026, 23:00{DASH}23:30 CET"),
        (3 * 86_400, f"Sat 28 Nov 2026, 23:00 {DASH} Tue 1 Dec 2026, 23:00 CET"),
    ],
)
def test_opening_names_its_days(length_s: int, text: str) -> None:
    assert " ".join(HERE.opening(NOW_S, NOW_S + length_s)) == text


def test_opening_without_end() -> None:
    assert HERE.opening(NOW_S, 0) == ("Sat 28 Nov 2026,", "23:00 CET, open-ended")


def test_zones_are_utc_and_those_of_places() -> None:
    names = clock.zone_names()
    assert names[0] == "UTC"
    assert "Europe/Berlin" in names
    assert not [name for name in names if name.startswith(("Etc/", "posix"))]
    assert len(names) == len(set(names)) > 300


@pytest.mark.parametrize("name", ["", "Mars/Phobos", "../../etc/passwd", "localtime"])
def test_unknown_zone_is_utc(name: str) -> None:
    assert clock.zone(name).key == "UTC"


def test_zones_whose_clocks_change_are_told() -> None:
    assert clock.changes(BERLIN, NOW_S)
    assert not clock.changes(ZoneInfo("Asia/Tokyo"), NOW_S)
    assert not clock.changes(ZoneInfo("UTC"), NOW_S)
