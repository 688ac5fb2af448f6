# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from puad.core.errors import Code, PuadError
from puad.render import (
    HistoryView,
    StatusView,
    cause_of,
    history_document,
    parse,
    rfc3339,
    status_document,
)
from tests.unit.render.views import DOWNLOADING, HISTORY, NOW, STATUS_VIEWS


@pytest.mark.parametrize("name", STATUS_VIEWS)
def test_parse_gives_back_the_status_view(name: str) -> None:
    view = STATUS_VIEWS[name]
    assert parse(StatusView, json.dumps(status_document(view))) == view


def test_parse_gives_back_the_history_view() -> None:
    read = parse(HistoryView, json.dumps(history_document(HISTORY)))
    assert [run.id for run in read.runs] == [run.id for run in HISTORY.runs]
    assert read.runs[0] == HISTORY.runs[0]


def test_api_version_comes_first() -> None:
    assert next(iter(status_document(DOWNLOADING))) == "api_version"


def test_keys_of_a_newer_daemon_are_ignored() -> None:
    document = status_document(DOWNLOADING) | {"mood": "fine"}
    document["node"]["colour"] = "green"
    assert parse(StatusView, json.dumps(document)) == DOWNLOADING


def test_keys_that_an_older_daemon_lacks_take_their_defaults() -> None:
    least = {"node": {"guid": "g", "profile": "edge", "image_id": "13.1"}}
    view = parse(StatusView, json.dumps(least))
    assert view.state == "IDLE"
    assert view.clock_trusted


def changed(**changes: Any) -> str:
    return json.dumps(status_document(DOWNLOADING) | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[" * 100_000,
        "[]",
        "{}",
        changed(node={}),
        changed(run=[]),
        changed(slots={}),
        changed(slots=[{"name": "a", "state": "live", "assessment": "good"}]),
        changed(download_at="soon"),
        changed(clock_trusted="yes"),
        changed(progress={"phase": "fetch", "done_bytes": 1.5}),
        changed(progress={"done_bytes": True}),
        changed(primary_slot=None),
    ],
)
def test_document_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(PuadError, match="of different releases") as caught:
        parse(StatusView, text)
    assert caught.value.code is Code.INTERNAL


def test_times_are_told_in_utc() -> None:
    assert rfc3339(NOW.astimezone(timezone(timedelta(hours=-5)))) == "2026-11-23T10:00:00Z"


def test_cause_of_an_error_has_its_hint() -> None:
    cause = cause_of(PuadError(Code.BUSY, "An update run is in state STAGED", on="r1"))
    assert (cause.code, cause.text) == ("busy", "An update run is in state STAGED (r1)")
    assert "puadctl cancel" in cause.hint
