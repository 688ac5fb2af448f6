# SPDX-License-Identifier: Apache-2.0
"""The lookout: each change of the surroundings is told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from puad.core.errors import Code, ServerError
from puad.core.events import Moment
from puad.core.model import Plan, Schedules, SingleSchedule
from puad.core.run import Run
from puad.daemon.lookout import Lookout
from puad.effects.maintenance import Contact

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GONE = Contact(reachable=False, error=ServerError(Code.SERVER_UNREACHABLE, "gone"), failures=1)


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.split()[2].rstrip(":") for line in capsys.readouterr().err.splitlines()]


def test_server_lost_and_back_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    lookout = Lookout()
    for contact in (Contact(reachable=True), GONE, GONE, Contact(reachable=True)):
        lookout.server(contact)

    assert told(capsys) == ["SERVER_LOST", "SERVER_BACK"]


def test_clock_that_is_not_trusted_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    lookout = Lookout()
    for trusted in (True, False, False, True, False):
        lookout.time(Run(), Moment(NOW, clock_trusted=trusted))

    assert told(capsys) == ["CLOCK_NOT_TRUSTED"] * 2


@pytest.mark.parametrize("end_s", [0, 3600])
def test_window_is_told_when_it_opens(capsys: pytest.CaptureFixture[str], end_s: int) -> None:
    start = int(NOW.timestamp())
    single = SingleSchedule(start + 60, start + end_s if end_s else 0)
    run = replace(Run(), plan=Plan(None, Schedules(single)))
    lookout = Lookout()
    for minutes in (0, 1, 2, 59):
        lookout.time(run, Moment(NOW + timedelta(minutes=minutes)))

    assert told(capsys) == ["WINDOW_OPENED"]
