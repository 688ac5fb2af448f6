# SPDX-License-Identifier: Apache-2.0
"""What a node's status type says to an operator: the texts and indicators of protocol.md §3a."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator_stub.vocabulary import Indication
from puad.core.wire import StatusType


@dataclass(frozen=True, slots=True)
class Status:
    """A text for people and what it means at a glance."""

    text: str
    indicator: Indication


UPDATE_STATUS: Final[dict[StatusType, Status]] = {
    StatusType.UNSPECIFIED: Status("Unknown", Indication.UNSPECIFIED),
    StatusType.UP_TO_DATE: Status("No new updates available", Indication.IDLE),
    StatusType.STARTED: Status("Updating", Indication.IN_PROGRESS),
    StatusType.UPDATED: Status("Update completed", Indication.IDLE),
    StatusType.FAILED: Status("Update failed", Indication.ERROR),
    StatusType.DOWNLOADING: Status("Downloading artifacts", Indication.IDLE),
    StatusType.DOWNLOADED: Status("Download complete", Indication.IDLE),
}

SILENT_AFTER_S: Final = 180
"""A host is not connected when its node has been silent for longer (a poll is due every 20 s)."""


def host_status(last_seen_s: int | None, now_s: int) -> Status:
    """The state of a host, from when its node was last seen (protocol.md §3c)."""
    if last_seen_s is None:
        return Status("Unknown", Indication.UNSPECIFIED)
    if now_s - last_seen_s > SILENT_AFTER_S:
        return Status("No Connection", Indication.ERROR)
    return Status("Running", Indication.IDLE)
