# SPDX-License-Identifier: Apache-2.0
"""What operators read of instances and runs: the texts of protocol.md §3a and §3c.

What they read of hosts is in `maintenance.host_status`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator_stub.records import Instance
from orchestrator_stub.schedules.inheritance import Windows
from orchestrator_stub.schedules.windows import holds
from orchestrator_stub.vocabulary import HostState, Indication, InstanceState, ScheduleStatus
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
NOT_BACK: Final = Status("Update failed: node did not come back", Indication.ERROR)
"""Of a run whose node fell silent after STARTED, and of its instance, until the node says more."""

UNKNOWN: Final = Status("Unknown", Indication.UNSPECIFIED)
"""Of a host whose node has never reported, and of its instance."""

_CANCELLED: Final = "Cancelled: "


def cancelled(reason: str) -> Status:
    """Of a run that the server has ended because its image is not wanted any more."""
    return Status(_CANCELLED + reason, Indication.IDLE)


def rejected(reason: str) -> Status:
    """Of a run that ended UPDATED, but not with what was wanted."""
    return Status(f"{UPDATE_STATUS[StatusType.UPDATED].text}, but {reason}", Indication.ERROR)


def is_cancelled(text: str) -> bool:
    """Whether a run's status says that the server has cancelled it."""
    return text.startswith(_CANCELLED)


def is_by_server(text: str) -> bool:
    """Whether a run's status is the server's conclusion, which a late report may correct."""
    return is_cancelled(text) or text == NOT_BACK.text


def status_of_instance(instance: Instance) -> Status:
    """The state of an instance: whether a node has ever reported from it, and is still trusted."""
    if instance.state is not InstanceState.RUNNING:
        return Status("Initializing", Indication.IN_PROGRESS)
    host = instance.host
    if host.state is HostState.UNTRUSTED or host.last_seen_s is None:
        return UNKNOWN  # enrolled only: its node may not even be installed
    return Status("Running", Indication.IDLE)


def in_maintenance(windows: Windows, at_s: int) -> bool:
    """Whether a host is in maintenance: computed, never stored (protocol.md §3c).

    Single schedules count when they are of type MAINTENANCE, repeated ones of any type; a window
    holds its first and its last second.
    """
    if any(
        row.schedule_status is ScheduleStatus.MAINTENANCE
        and row.start_s <= at_s
        and (row.end_s == 0 or at_s <= row.end_s)
        for row in windows.single
    ):
        return True
    return any(holds(row, at_s) for row in windows.repeated)
