# SPDX-License-Identifier: Apache-2.0
"""One failure told apart from the next, by the update log that a node sends with it.

A node repeats FAILED for as long as its image is quarantined. What it tells again has the same
image and the same time of failure. A log that gives no time is the same failure for as long as it
gives the same cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from orchestrator_stub.records import IMAGE_ID_CHARS
from puad.core.errors import FailureReason, WireError
from puad.core.update_log import LogStatus, UpdateLogEntry, dump_detail, parse_detail

_MAX_CAUSE_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Detail:
    """A status detail that is worth keeping.

    Attributes:
        text: The update log as JSON; empty when there is none.
        entries: What it says.
    """

    text: str = ""
    entries: tuple[UpdateLogEntry, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """What a node sends.

        Raises:
            WireError: When it is no update log.
        """
        return cls(text, parse_detail(text)) if text else cls()

    @classmethod
    def kept(cls, text: str) -> Self:
        """What was kept before; whatever is no update log counts as nothing."""
        try:
            return cls.read(text)
        except WireError:
            return cls()

    @property
    def image_id(self) -> str:
        """The image that was tried last; empty when the log does not name it."""
        return self.entries[-1].version if self.entries else ""

    @property
    def failure(self) -> str:
        """What tells this failure from the next; empty when nothing does."""
        return failure_of(self.entries)


def failure_of(entries: Sequence[UpdateLogEntry]) -> str:
    """What tells a failure from the next: its image and its time, or else its cause."""
    if not entries:
        return ""
    last = entries[-1]
    image_id = last.version[:IMAGE_ID_CHARS]
    if last.update_time is None:
        cause = f"{last.failure_reason} {last.failure_log[:_MAX_CAUSE_CHARS]}"
        return f"{image_id} {cause}".strip()
    return f"{image_id} {last.update_time:%Y-%m-%dT%H:%M:%SZ}".strip()


def said_by_server(image_id: str, what: str, at_s: int) -> str:
    """An update log with what the server itself has to say of a run that went wrong."""
    entry = UpdateLogEntry(
        status=LogStatus.FAILED,
        version=image_id,
        update_time=datetime.fromtimestamp(at_s, UTC),
        failure_reason=FailureReason.UNSPECIFIED,
        failure_log=what,
    )
    return dump_detail([entry])
