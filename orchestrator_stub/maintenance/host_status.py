# SPDX-License-Identifier: Apache-2.0
"""The status of a host (protocol.md §3c): of one in Python, of a whole list in SQL.

The first that holds decides, in either language:

| status | when |
|---|---|
| Invalidated | the host is not trusted |
| Unknown | its node has never reported |
| Running | its node is not silent |
| Booting | it is, but has begun to reboot into an update, not too long ago |
| No Connection | else |
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, and_, case

from orchestrator_stub.maintenance.status import UNKNOWN, UPDATE_STATUS, Status
from orchestrator_stub.records import Host, Instance
from orchestrator_stub.vocabulary import HostState, Indication
from puad.core.wire import StatusType

SILENT_AFTER_S: Final = 180
"""A host is not connected when its node has been silent for longer (a poll is due every 20 s)."""

BOOTING_FOR_S: Final = 900
"""So long a node that has begun to reboot into an update may be silent and count as booting."""

RUNNING: Final = Status("Running", Indication.IDLE)
BOOTING: Final = Status("Booting", Indication.IN_PROGRESS)
NO_CONNECTION: Final = Status("No Connection", Indication.ERROR)
INVALIDATED: Final = Status("Invalidated", Indication.ERROR)
HOST_STATUSES: Final = (RUNNING, BOOTING, NO_CONNECTION, UNKNOWN, INVALIDATED)

_STARTED: Final = UPDATE_STATUS[StatusType.STARTED].text


def host_status(
    state: HostState, last_seen_s: int | None, update_status: str | None, now_s: int
) -> Status:
    """The status of a host, from what its record and its instance's have."""
    if state is HostState.UNTRUSTED:
        return INVALIDATED
    if last_seen_s is None:
        return UNKNOWN
    silent_s = now_s - last_seen_s
    if silent_s <= SILENT_AFTER_S:
        return RUNNING
    return BOOTING if update_status == _STARTED and silent_s <= BOOTING_FOR_S else NO_CONNECTION


def status_of_host(host: Host, now_s: int) -> Status:
    """The status of a host, from its record."""
    update_status = host.instance.update_status if host.instance else None
    return host_status(host.state, host.last_seen_s, update_status, now_s)


def text_in_sql(now_s: int) -> ColumnElement[str]:
    """The text of each host's status; hosts have to be joined with their instances, if any."""
    return case(*((when, status.text) for when, status in _rules(now_s)), else_=NO_CONNECTION.text)


def indicator_in_sql(now_s: int) -> ColumnElement[str]:
    """The same of its indicator."""
    return case(
        *((when, status.indicator.value) for when, status in _rules(now_s)),
        else_=NO_CONNECTION.indicator.value,
    )


def _rules(now_s: int) -> tuple[tuple[ColumnElement[bool], Status], ...]:
    has_started = Instance.update_status == _STARTED
    return (
        (Host.state == HostState.UNTRUSTED, INVALIDATED),
        (Host.last_seen_s.is_(None), UNKNOWN),
        (Host.last_seen_s >= now_s - SILENT_AFTER_S, RUNNING),
        (and_(Host.last_seen_s >= now_s - BOOTING_FOR_S, has_started), BOOTING),
    )
