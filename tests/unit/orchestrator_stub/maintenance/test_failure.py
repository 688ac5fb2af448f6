# SPDX-License-Identifier: Apache-2.0
"""One failure told apart from the next."""

from __future__ import annotations

import pytest

from orchestrator_stub.maintenance.failure import Detail, said_by_server
from puad.core.errors import FailureReason, WireError
from puad.core.update_log import LogStatus, parse_detail
from tests.unit.orchestrator_stub.maintenance.fleet import START_S, failure


def test_same_image_and_time_is_the_same_failure_whatever_else_is_told() -> None:
    first = Detail.read(failure("no route"))
    assert first.failure == Detail.read(failure("no name")).failure == "2.0 2027-01-15T08:00:00Z"
    assert first.failure != Detail.read(failure("no route", START_S + 1)).failure
    assert first.failure != Detail.read(failure("no route", image="2.1")).failure
    assert first.image_id == "2.0"


def test_failure_without_time_is_told_apart_by_its_cause() -> None:
    first = Detail.read(failure("no route", None)).failure
    assert first == Detail.read(failure("no route", None)).failure
    assert first != Detail.read(failure("no name", None)).failure


def test_failure_is_bounded_whatever_the_node_sends() -> None:
    assert len(Detail.read(failure("x" * 50_000, None, "9" * 5000)).failure) < 1000


@pytest.mark.parametrize("text", ["plain words", "{}", '{"UpdateLog": []}'])
def test_what_is_no_update_log_is_nothing(text: str) -> None:
    with pytest.raises(WireError):
        Detail.read(text)
    assert Detail.kept(text) == Detail.read("") == Detail()
    assert (Detail().failure, Detail().image_id) == ("", "")


def test_empty_log_tells_nothing() -> None:
    assert Detail.read('{"update_log": []}').failure == ""


def test_word_of_the_server_is_an_update_log() -> None:
    (entry,) = parse_detail(said_by_server("2.0", "it did not come back", START_S))
    assert (entry.status, entry.version) == (LogStatus.FAILED, "2.0")
    assert entry.failure_reason is FailureReason.UNSPECIFIED
    assert entry.failure_log == "it did not come back"
