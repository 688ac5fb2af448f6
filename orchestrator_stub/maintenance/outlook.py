# SPDX-License-Identifier: Apache-2.0
"""The outlook of an instance: why it does not update now, for a person.

The questions are asked in this order, and the first that holds decides:

| kind | when | `at_s` |
|---|---|---|
| UPDATING | it is on its way through a reboot | since when |
| INVALIDATED | the host is not trusted, so its node is refused | |
| NO_CONTACT | its node is silent, or has never reported | since when; None: never |
| NO_POLICY | no OS update policy is linked | |
| WITHDRAWN | the policy's target was withdrawn | |
| UP_TO_DATE | it runs what the policy wants, or the policy wants nothing | |
| QUARANTINED | the image failed here, and no operator has released it | |
| HELD_BY_ROLLOUT | its rollout has not come so far, or stands still | when its wave begins |
| UPDATING | it downloads the image | since when |
| HELD_BY_ROLLOUT | a maintenance window is open, but others have their turn | |
| WINDOW_OPEN | a maintenance window is open | when it closes; None: never |
| WAITS_FOR_WINDOW | one opens later | when |
| NO_WINDOW | none ever opens | |

Nothing is asked here: the caller brings the instance as it was read, the schedules that apply to
its host, and what its rollout holds against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator_stub.maintenance.host_status import SILENT_AFTER_S
from orchestrator_stub.maintenance.status import UPDATE_STATUS
from orchestrator_stub.os_resources import may_be_offered
from orchestrator_stub.records import Instance, OSResource
from orchestrator_stub.rollouts.hold import Hold
from orchestrator_stub.schedules.inheritance import Windows
from orchestrator_stub.schedules.windows import next_windows
from orchestrator_stub.vocabulary import HostState, PolicyKind
from puad.core.wire import StatusType

_STARTED: Final = UPDATE_STATUS[StatusType.STARTED].text
_DOWNLOADING: Final = UPDATE_STATUS[StatusType.DOWNLOADING].text


class OutlookKind(StrEnum):
    """Why an instance does not update now."""

    NO_POLICY = "no-policy"
    NO_WINDOW = "no-window"
    WAITS_FOR_WINDOW = "waits-for-window"
    WINDOW_OPEN = "window-open"
    QUARANTINED = "quarantined"
    HELD_BY_ROLLOUT = "held-by-rollout"
    NO_CONTACT = "no-contact"
    UP_TO_DATE = "up-to-date"
    UPDATING = "updating"
    INVALIDATED = "invalidated"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Why an instance does not update now.

    Attributes:
        kind: In one word.
        text: For a person, without times.
        at_s: The time that belongs to it, as the table above says; None when there is none.
    """

    kind: OutlookKind
    text: str
    at_s: int | None = None


def outlook(instance: Instance, windows: Windows, now_s: int, held: Hold | None = None) -> Outlook:
    """Why an instance does not update now."""
    return (
        _contact(instance, now_s)
        or _policy(instance)
        or _image(instance, wanted(instance), held)
        or _window(windows, now_s, held)
    )


def wanted(instance: Instance) -> OSResource | None:
    """The OS resource that the policy wants on an instance; None when it has it, or wants none."""
    policy = instance.policy
    if policy is None:
        return None
    image = policy.target_os if policy.kind is PolicyKind.TARGET else instance.available_os
    if image is None or image.image_id == instance.image_id or not may_be_offered(image):
        return None
    return image


def _contact(instance: Instance, now_s: int) -> Outlook | None:
    seen_s = instance.host.last_seen_s
    if instance.update_status == _STARTED:
        return Outlook(OutlookKind.UPDATING, "Updating", instance.update_status_s)
    if instance.host.state is HostState.UNTRUSTED:
        return Outlook(OutlookKind.INVALIDATED, "The host is invalidated, so its node is refused")
    if seen_s is None:
        return Outlook(OutlookKind.NO_CONTACT, "The node has never reported")
    if now_s - seen_s > SILENT_AFTER_S:
        return Outlook(OutlookKind.NO_CONTACT, "No contact with the node", seen_s)
    return None


def _policy(instance: Instance) -> Outlook | None:
    policy = instance.policy
    if policy is None:
        return Outlook(OutlookKind.NO_POLICY, "No OS update policy is linked")
    target = policy.target_os
    if target is not None and target.withdrawn_reason is not None:
        what = f"The policy's target {target.name} was withdrawn: {target.withdrawn_reason}"
        return Outlook(OutlookKind.WITHDRAWN, what)
    return None


def _image(instance: Instance, image: OSResource | None, held: Hold | None) -> Outlook | None:
    if image is None:
        return Outlook(OutlookKind.UP_TO_DATE, "It runs what its policy wants")
    is_kept = image.file_hash in instance.quarantine and image.file_hash not in instance.released
    if is_kept or (held is not None and held.has_failed):
        what = f"{image.name} failed here and is quarantined until it is released"
        return Outlook(OutlookKind.QUARANTINED, what)
    if held is not None and not held.is_turn:
        return Outlook(OutlookKind.HELD_BY_ROLLOUT, held.text, held.at_s)
    if instance.update_status == _DOWNLOADING:
        return Outlook(OutlookKind.UPDATING, f"Downloading {image.name}", instance.update_status_s)
    return None


def _window(windows: Windows, now_s: int, held: Hold | None) -> Outlook:
    found = next_windows(windows, now_s, 1)
    if not found:
        return Outlook(OutlookKind.NO_WINDOW, "No maintenance window for OS updates is set")
    start_s, end_s = found[0]
    if start_s > now_s:
        return Outlook(OutlookKind.WAITS_FOR_WINDOW, "Waits for its maintenance window", start_s)
    if held is not None:
        return Outlook(OutlookKind.HELD_BY_ROLLOUT, held.text)
    return Outlook(OutlookKind.WINDOW_OPEN, "Its maintenance window is open", end_s or None)
