# SPDX-License-Identifier: Apache-2.0
"""The Updates history: update runs with their cause and log, as an operator reads them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator_stub.records import OPEN_END_S, UpdateRun
from orchestrator_stub.web.statuses import Shown, update
from puad.core.errors import FailureReason, WireError
from puad.core.update_log import parse_detail

IN_PROGRESS: Final = "In Progress"
_REASONS: Final = {
    FailureReason.UNSPECIFIED: "Failed",
    FailureReason.NO_FAILURE: "",
    FailureReason.DOWNLOAD: "The download failed",
    FailureReason.BOOTLOADER: "It did not boot; the boot loader went back to the old slot",
    FailureReason.INSUFFICIENT_STORAGE: "There is not enough room",
    FailureReason.AUTHENTICATION: "The release service did not let the node in",
    FailureReason.SIGNATURE_CHECK: "The image is not what was signed",
    FailureReason.WRITE: "The image could not be written",
    FailureReason.BOOT_CONFIGURATION: "The boot loader could not be set up",
    FailureReason.CRITICAL_SERVICES: "A service that must run did not",
    FailureReason.INBM: "The node's update agent failed",
    FailureReason.OS_COMMIT: "The new slot could not be marked good",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an update failed: in a few words, and what the node wrote about it."""

    text: str
    log: str


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One update run; `end_s` is None while it goes on."""

    name: str
    image_id: str
    status: Shown
    policy: str
    start_s: int
    end_s: int | None
    duration_s: int
    causes: tuple[Cause, ...]


def shown(run: UpdateRun, now_s: int) -> ShownRun:
    """An update run as the history shows it."""
    goes_on = run.end_s == OPEN_END_S
    return ShownRun(
        name=run.name,
        image_id=run.image_id,
        status=update(run.status, run.status_indicator),
        policy=run.policy.name if run.policy else "",
        start_s=run.start_s,
        end_s=None if goes_on else run.end_s,
        duration_s=max((now_s if goes_on else run.end_s) - run.start_s, 0),
        causes=causes(run.status_details),
    )


def causes(detail: str) -> tuple[Cause, ...]:
    """What a status detail says went wrong: an update log, or one plain sentence."""
    if not detail:
        return ()
    try:
        entries = parse_detail(detail)
    except WireError:
        return (Cause(detail, ""),)
    found = (Cause(_REASONS[entry.failure_reason], entry.failure_log) for entry in entries)
    return tuple(cause for cause in found if cause.text or cause.log)
