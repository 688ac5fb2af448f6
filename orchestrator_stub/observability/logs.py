# SPDX-License-Identifier: Apache-2.0
"""The log: one line for each record, as text for people or as JSON for programs.

Both are one line whatever stands in a message, so nobody can write a line of their own by what they
send. A record may carry fields: `log.info("…", extra={"fields": {…}})`. What must never be logged
does not come here at all: headers, bodies and query strings.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from enum import StrEnum
from textwrap import indent
from typing import Any, Final, TextIO

from orchestrator_stub.observability import request_id
from puad.core.printable import printable

_MAX_CHARS: Final = 16_000
_TALKATIVE: Final = ("alembic",)
_NAMES: Final = {"uvicorn.error": "uvicorn"}  # it says everything there, and few of it are errors


class LogFormat(StrEnum):
    """What the log looks like."""

    TEXT = "text"
    JSON = "json"


def configure(log_format: LogFormat = LogFormat.TEXT, stream: TextIO | None = None) -> None:
    """Log everything from INFO on, in this format, to standard error or another stream.

    Whoever has set up logging already, such as a test, keeps what it has.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if log_format is LogFormat.JSON else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """A record as a line for people; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        identity = request_id.current.get()
        line = (
            f"{_moment(record)} {record.levelname} {_name(record)}: "
            f"{printable(record.getMessage()[:_MAX_CHARS])}"
        )
        line += f" [{identity}]" if identity else ""
        # set in, so that nothing in it looks like a line of its own
        return line + (f"\n{indent(_trace(record), '  ')}" if record.exc_info else "")


class JsonLines(logging.Formatter):
    """A record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        document: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": _name(record),
            "message": record.getMessage()[:_MAX_CHARS],
        }
        if identity := request_id.current.get():
            document["request_id"] = identity
        document |= getattr(record, "fields", {})
        if record.exc_info:
            document["traceback"] = _trace(record)
        return json.dumps(document, ensure_ascii=True, default=str)


def _name(record: logging.LogRecord) -> str:
    return _NAMES.get(record.name, record.name)


def _moment(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _trace(record: logging.LogRecord) -> str:
    if record.exc_info is None or record.exc_info[1] is None:
        return ""
    lines = "".join(traceback.format_exception(record.exc_info[1]))
    return printable(lines[-_MAX_CHARS:], kept="\n").rstrip("\n")
