# SPDX-License-Identifier: Apache-2.0
"""Statuses as the pages show them: a text, and the style of the mark beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator_stub.maintenance.host_status import host_status
from orchestrator_stub.maintenance.status import UPDATE_STATUS
from orchestrator_stub.vocabulary import HostState, Indication
from puad.core.wire import StatusType

NOT_REPORTED: Final = "Not reported yet"
_DOWNLOADING: Final = UPDATE_STATUS[StatusType.DOWNLOADING].text

_KIND: Final = {
    Indication.IDLE: "idle",
    Indication.IN_PROGRESS: "busy",
    Indication.ERROR: "error",
    Indication.UNSPECIFIED: "unknown",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A status: its text, and the style of its mark."""

    text: str
    kind: str


def host(state: HostState, last_seen_s: int | None, now_s: int, update_status: str | None) -> Shown:
    """The status of a host (protocol.md §3c)."""
    status = host_status(state, last_seen_s, update_status, now_s)
    return Shown(status.text, _KIND[status.indicator])


def update(text: str | None, indicator: Indication | None) -> Shown:
    """The status of an update (protocol.md §3a); a download is one that goes on, too."""
    if not text or indicator is None:
        return Shown(NOT_REPORTED, "unknown")
    if text == _DOWNLOADING and indicator is Indication.IDLE:
        return Shown(text, "busy")
    return Shown(text, _KIND[indicator])
