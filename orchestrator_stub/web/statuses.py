# SPDX-License-Identifier: Apache-2.0
"""Statuses as the pages show them: a text, and the style of the mark beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator_stub.maintenance.status import (
    BOOTING_FOR_S,
    SILENT_AFTER_S,
    UPDATE_STATUS,
    host_status,
)
from orchestrator_stub.vocabulary import HostState, Indication
from puad.core.wire import StatusType

BOOTING: Final = "Booting"
INVALIDATED: Final = "Invalidated"
NOT_REPORTED: Final = "Not reported yet"
STARTED: Final = UPDATE_STATUS[StatusType.STARTED].text
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
    """The status of a host (protocol.md §3c); a node on its way into an update may be silent."""
    if state is HostState.UNTRUSTED:
        return Shown(INVALIDATED, "error")
    status = host_status(last_seen_s, now_s)
    silent_s = now_s - (last_seen_s or 0)
    if update_status == STARTED and SILENT_AFTER_S < silent_s <= BOOTING_FOR_S:
        return Shown(BOOTING, "busy")
    return Shown(status.text, _KIND[status.indicator])


def update(text: str | None, indicator: Indication | None) -> Shown:
    """The status of an update (protocol.md §3a); a download is one that goes on, too."""
    if not text or indicator is None:
        return Shown(NOT_REPORTED, "unknown")
    if text == _DOWNLOADING and indicator is Indication.IDLE:
        return Shown(text, "busy")
    return Shown(text, _KIND[indicator])
