# SPDX-License-Identifier: Apache-2.0
"""Log records as lines: for people, for programs, and never more than one of whatever comes."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator_stub.observability import request_id
from orchestrator_stub.observability.logs import LogFormat, configure

NAMED = logging.getLogger("orchestrator_stub.somewhere")
FORGED = "nothing\n2026-01-01T00:00:00.000Z INFO orchestrator_stub: all is well\x1b[2J\r"


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Nobody has set up logging yet; what pytest has put there is there again afterwards."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    logger.handlers.clear()
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def identity() -> Iterator[str]:
    token = request_id.current.set("r-1")
    yield "r-1"
    request_id.current.reset(token)


def configured(log_format: LogFormat) -> io.StringIO:
    stream = io.StringIO()
    logging.getLogger().handlers.clear()
    configure(log_format, stream)
    return stream


def documents(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def log_an_error() -> None:
    try:
        int(FORGED)
    except ValueError as error:
        error.add_note(FORGED)
        NAMED.exception("broken")


def test_text_is_a_line_with_time_level_and_where() -> None:
    stream = configured(LogFormat.TEXT)
    before = datetime.now(UTC).replace(microsecond=0)
    NAMED.info("host %s is new", "edge-1")
    moment, level, name, rest = stream.getvalue().split(" ", 3)
    assert before <= datetime.fromisoformat(moment) <= datetime.now(UTC)
    assert (level, name, rest) == ("INFO", "orchestrator_stub.somewhere:", "host edge-1 is new\n")


def test_json_is_an_object_with_the_same_and_the_fields(identity: str) -> None:
    stream = configured(LogFormat.JSON)
    NAMED.warning("host %s is silent", "edge-1", extra={"fields": {"host": "edge-1", "for_s": 5}})
    (document,) = documents(stream)
    assert datetime.fromisoformat(document.pop("time")).tzinfo is not None
    assert document == {
        "level": "warning",
        "logger": "orchestrator_stub.somewhere",
        "message": "host edge-1 is silent",
        "request_id": identity,
        "host": "edge-1",
        "for_s": 5,
    }


def test_id_of_the_request_is_in_the_text(identity: str) -> None:
    stream = configured(LogFormat.TEXT)
    NAMED.info("done")
    assert stream.getvalue().endswith(f"done [{identity}]\n")


@pytest.mark.parametrize("log_format", LogFormat)
def test_message_from_outside_is_one_line_and_no_control_sequence(log_format: LogFormat) -> None:
    stream = configured(log_format)
    NAMED.error("refused: %s", FORGED)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert "\x1b" not in written
    assert "\r" not in written


def test_traceback_forges_no_line() -> None:
    stream = configured(LogFormat.TEXT)
    log_an_error()
    first, *others = stream.getvalue().splitlines()
    assert first.endswith("broken")
    assert any("ValueError: invalid literal" in line for line in others)
    assert all(line.startswith("  ") for line in others)
    assert "\x1b" not in stream.getvalue()


def test_traceback_in_json_is_a_field() -> None:
    stream = configured(LogFormat.JSON)
    log_an_error()
    (document,) = documents(stream)
    assert "ValueError: invalid literal" in document["traceback"]


def test_line_is_bounded() -> None:
    for log_format in LogFormat:
        stream = configured(log_format)
        NAMED.info("x" * 1_000_000)
        assert len(stream.getvalue()) < 20_000


def test_field_that_json_does_not_know_is_written_as_text() -> None:
    stream = configured(LogFormat.JSON)
    NAMED.info("odd", extra={"fields": {"what": {1, 2}.__class__}})
    assert documents(stream)[0]["what"] == "<class 'set'>"


def test_logging_that_is_set_up_is_kept() -> None:
    first, second = configured(LogFormat.TEXT), io.StringIO()
    configure(LogFormat.JSON, second)
    NAMED.info("done")
    assert first.getvalue().endswith("done\n")
    assert second.getvalue() == ""


def test_libraries_that_chatter_are_quiet() -> None:
    stream = configured(LogFormat.TEXT)
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    NAMED.debug("detail")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_line_of_the_http_server_does_not_call_itself_an_error(log_format: LogFormat) -> None:
    stream = configured(log_format)
    logging.getLogger("uvicorn.error").info("Application startup complete.")
    assert "uvicorn" in stream.getvalue()
    assert "error" not in stream.getvalue()
