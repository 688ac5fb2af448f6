# SPDX-License-Identifier: Apache-2.0
"""What operators read of hosts, instances and runs: the texts of protocol.md §3a and §3c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator_stub.records import Host, Instance
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

SILENT_AFTER_S: Final = 180
"""A host is not connected when its node has been silent for longer (a poll is due every 20 s)."""

BOOTING_FOR_S: Final = 900
"""So long a node that has begun to reboot into an update may be silent and count as booting."""

_CANCELLED: Final = "Cancelled: "
_UNKNOWN: Final = Status("Unknown", Indication.UNSPECIFIED)


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


def host_status(last_seen_s: int | None, now_s: int) -> Status:
    """The state of a host, from when its node was last seen."""
    if last_seen_s is None:
        return _UNKNOWN
    if now_s - last_seen_s > SILENT_AFTER_S:
        return Status("No Connection", Indication.ERROR)
    return Status("Running", Indication.IDLE)


def status_of_host(host: Host, now_s: int) -> Status:
    """The state of a host, from all that is known of it."""
    if host.state is HostState.UNTRUSTED:
        return Status("Invalidated", Indication.ERROR)
    seen = host_status(host.last_seen_s, now_s)
    if seen.indicator is Indication.ERROR and _may_be_booting(host, now_s):
        return Status("Booting", Indication.IN_PROGRESS)
    return seen


def status_of_instance(instance: Instance) -> Status:
    """The state of an instance: whether a node has ever reported from it, and is still trusted."""
    if instance.state is not InstanceState.RUNNING:
        return Status("Initializing", Indication.IN_PROGRESS)
    host = instance.host
    if host.state is HostState.UNTRUSTED or host.last_seen_s is None:
        return _UNKNOWN  # enrolled only: its node may not even be installed
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


def _may_be_booting(host: Host, now_s: int) -> bool:
    started = UPDATE_STATUS[StatusType.STARTED].text
    instance = host.instance
    return (
        instance is not None
        and instance.update_status == started
        and host.last_seen_s is not None
        and now_s - host.last_seen_s <= BOOTING_FOR_S
    )
