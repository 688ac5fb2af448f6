# SPDX-License-Identifier: Apache-2.0
"""The update log: the detail of a status report, as the maintenance manager stores it.

It is the JSON text `{"update_log": [entry, …]}` in snake case (protocol.md §3a), the schema that
the maintenance manager reads and that the original node got wrong. Rules:

1. What is dumped always parses, and fits in a status detail: few entries, each log cut to its
   end, where the cause stands.
2. Parsing is as strict as the maintenance manager: a text that is not JSON, has no `update_log`,
   or uses a word that is not in its lists, is no update log.
3. Parsing is also as tolerant: unknown keys are ignored, and an absent key has the first word of
   its list, the empty text, or no time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from puad.core.errors import FailureReason
from puad.core.wire_fields import Fields, loads, refused

MAX_ENTRIES: Final = 8
MAX_FAILURE_LOG_CHARS: Final = 4000
MAX_NAME_CHARS: Final = 128
_MAX_PARSED_CHARS: Final = 100_000
# JSON writes these with six characters each, or UTF-8 cannot hold them.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


class LogType(StrEnum):
    """What was updated; puad updates nothing but the OS."""

    OS = "OS"
    APPLICATION = "application"
    FIRMWARE = "firmware"
    CONTAINER = "container"
    CONFIGURATION = "configuration"


class LogAction(StrEnum):
    """What was tried."""

    UPGRADE = "upgrade"
    INSTALL = "install"


class LogStatus(StrEnum):
    """How it ended."""

    INSTALLED = "installed"
    FAILED = "failed"
    ROLLEDBACK = "rolledback"


@dataclass(frozen=True, slots=True)
class UpdateLogEntry:
    """How one try to bring one image onto the node ended.

    Attributes:
        status: Installed, failed, or rolled back.
        version: The image id that was tried.
        update_time: When it ended; None when that is not known.
        failure_reason: The cause in the maintenance manager's words.
        failure_log: What is known about the cause, for a person.
        package_name: The OS profile.
        update_type: What was updated.
        action: What was tried.
    """

    status: LogStatus
    version: str
    update_time: datetime | None = None
    failure_reason: FailureReason = FailureReason.NO_FAILURE
    failure_log: str = ""
    package_name: str = ""
    update_type: LogType = LogType.OS
    action: LogAction = LogAction.UPGRADE


def dump_detail(entries: Sequence[UpdateLogEntry]) -> str:
    """The status detail that holds the last entries."""
    rows = [_dump_entry(entry) for entry in entries[-MAX_ENTRIES:]]
    return json.dumps({"update_log": rows}, ensure_ascii=False, separators=(",", ":"))


def parse_detail(detail: str) -> tuple[UpdateLogEntry, ...]:
    """The entries of a status detail.

    Raises:
        WireError: When the maintenance manager would drop the detail (rule 2).
    """
    document = Fields.of(loads(detail.encode(errors="replace")))
    if document.values.get("update_log") is None:
        raise refused("update_log", "it is missing")
    rows = document.items("update_log", MAX_ENTRIES * MAX_ENTRIES)
    return tuple(_parse_entry(Fields.of(row, path)) for path, row in rows)


def _dump_entry(entry: UpdateLogEntry) -> dict[str, str]:
    at = entry.update_time
    row = {
        "update_type": entry.update_type.value,
        "package_name": _clean(entry.package_name[:MAX_NAME_CHARS]),
        "action": entry.action.value,
        "status": entry.status.value,
        "version": _clean(entry.version[:MAX_NAME_CHARS]),
        "failure_reason": entry.failure_reason.value,
        "failure_log": _clean(entry.failure_log[-MAX_FAILURE_LOG_CHARS:]),
    }
    if at is not None:
        row["update_time"] = at.astimezone(UTC).replace(tzinfo=None).isoformat("T", "seconds") + "Z"
    return row


def _parse_entry(row: Fields) -> UpdateLogEntry:
    return UpdateLogEntry(
        status=row.word("status", LogStatus),
        version=row.text("version", _MAX_PARSED_CHARS, free=True),
        update_time=_time(row),
        failure_reason=row.word("failure_reason", FailureReason),
        failure_log=row.text("failure_log", _MAX_PARSED_CHARS, free=True),
        package_name=row.text("package_name", _MAX_PARSED_CHARS, free=True),
        update_type=row.word("update_type", LogType),
        action=row.word("action", LogAction),
    )


def _time(row: Fields) -> datetime | None:
    text = row.text("update_time", MAX_NAME_CHARS)
    try:
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refused(row.at("update_time"), "there is no such time") from error
    if text:
        raise refused(row.at("update_time"), "it is not an RFC 3339 time")
    return None


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
