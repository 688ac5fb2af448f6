# SPDX-License-Identifier: Apache-2.0
"""The two messages of the maintenance protocol, both ways, for node and server.

They are `PlatformUpdateStatusRequest` and `PlatformUpdateStatusResponse` of maintmgr.v1 in
protobuf's JSON mapping (protocol.md §1): lowerCamelCase names, 64-bit integers as strings, enums
by name, defaults left out. Reading takes the proto's own names and plain numbers as well (see
`puad.core.wire_fields`), so either side can be exchanged for the original.

What the answer must have besides its form:

1. `updateSource` is there, as the proto requires: an object without it is some proxy's page and
   must not be taken for "no policy".
2. An absent or empty `osProfileUpdateSource`, or one without a hash, means that there is no policy.
3. An offered URL is a target path of the signed repository: relative, without `.` or `..` steps.
4. A single schedule starts after 1970 and ends after its start; a repeated one has all five cron
   fields. One of duration 0 never opens (the proto allows it) and is left out.

Some fields are ours, and the original ignores them: `progressPercent` and those of
`puad.core.wire_extras` in the request's `updateStatus`, and `clearQuarantine`, the file hashes that
an operator released at the server, in the response.
Kernel command, package sources and installed packages are for mutable systems: neither read nor
written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from puad.core.cron import FIELDS
from puad.core.model import Offer, RepeatedSchedule, Schedules, SingleSchedule
from puad.core.wire_extras import (
    SlotReport,
    decode_phase,
    decode_quarantine,
    decode_slots,
    encode_extras,
)
from puad.core.wire_fields import Fields, loads, matching, refused

__all__ = [
    "MAX_CRON_CHARS",
    "MAX_DETAIL_CHARS",
    "MAX_DURATION_S",
    "MAX_SCHEDULES",
    "MAX_TIME_S",
    "Answer",
    "OSType",
    "SlotReport",
    "StatusReport",
    "StatusType",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "loads",
]

MAX_SCHEDULES: Final = 128
MAX_CLEARED: Final = 64
MAX_DETAIL_CHARS: Final = 100_000
MAX_PERCENT: Final = 100
MAX_DURATION_S: Final = 86_400
MAX_CRON_CHARS: Final = 512
# The last second of the year 9000: a date that every later sum with a duration still has.
MAX_TIME_S: Final = 221_876_927_999
_MAX_NAME_CHARS: Final = 128
_MAX_TEXT_CHARS: Final = 500
_UUID_CHARS: Final = 36
_HASH_CHARS: Final = 64

_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_FILE_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")
_TARGET_PATH: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){0,15}"
)


class StatusType(StrEnum):
    """What a node reports, in the order of the proto's numbers."""

    UNSPECIFIED = "STATUS_TYPE_UNSPECIFIED"
    UP_TO_DATE = "STATUS_TYPE_UP_TO_DATE"
    STARTED = "STATUS_TYPE_STARTED"
    UPDATED = "STATUS_TYPE_UPDATED"
    FAILED = "STATUS_TYPE_FAILED"
    DOWNLOADING = "STATUS_TYPE_DOWNLOADING"
    DOWNLOADED = "STATUS_TYPE_DOWNLOADED"


class OSType(StrEnum):
    """What kind of OS the server thinks the node has, in the order of the proto's numbers."""

    UNSPECIFIED = "OS_TYPE_UNSPECIFIED"
    MUTABLE = "OS_TYPE_MUTABLE"
    IMMUTABLE = "OS_TYPE_IMMUTABLE"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a node says about itself in one request.

    Attributes:
        status_type: Where its update stands.
        status_detail: An update log (`puad.core.update_log`), or one plain sentence.
        profile_name: The booted OS profile.
        profile_version: The profile's own version; upstream leaves it empty.
        os_image_id: The booted image id.
        os_update_available: Only a mutable OS says it; an immutable one leaves it empty.
        progress_percent: How far a download has come; None when there is none.
        phase: What the node does within its status; empty when it does not say.
        slots: The node's slots; empty when it does not say.
        quarantine: File hashes that the node does not try by itself; None when it does not say.
    """

    status_type: StatusType
    status_detail: str = ""
    profile_name: str = ""
    profile_version: str = ""
    os_image_id: str = ""
    os_update_available: str = ""
    progress_percent: int | None = None
    phase: str = ""
    slots: tuple[SlotReport, ...] = ()
    quarantine: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the maintenance manager answers.

    Attributes:
        offer: The image of the node's policy; None without a policy.
        schedules: The windows in which it may be installed.
        os_type: What kind of OS the server thinks the node has.
        clear_quarantine: File hashes that an operator released at the server.
    """

    offer: Offer | None = None
    schedules: Schedules = field(default_factory=Schedules)
    os_type: OSType = OSType.UNSPECIFIED
    clear_quarantine: tuple[str, ...] = ()


def encode_request(host_guid: str, report: StatusReport) -> dict[str, Any]:
    """The request of one node, ready for JSON."""
    status: dict[str, Any] = {
        "statusType": report.status_type.value,
        "statusDetail": report.status_detail,
        "profileName": report.profile_name,
        "profileVersion": report.profile_version,
        "osImageId": report.os_image_id,
        "osUpdateAvailable": report.os_update_available,
    }
    status = {name: value for name, value in status.items() if value}
    if report.progress_percent is not None:
        status["progressPercent"] = report.progress_percent
    status |= encode_extras(report.phase, report.slots, report.quarantine)
    return {"hostGuid": host_guid.lower(), "updateStatus": status}


def decode_request(document: Mapping[str, Any]) -> tuple[str, StatusReport]:
    """The host's GUID in lower case, and what it reports.

    Raises:
        WireError: When a field is missing or has a wrong value; its `on` is the field's path.
    """
    request = Fields.of(document)
    host_guid = request.form("host_guid", _UUID, _UUID_CHARS).lower()
    status = request.needed("update_status")
    return host_guid, StatusReport(
        status_type=status.enum("status_type", StatusType),
        status_detail=status.text("status_detail", MAX_DETAIL_CHARS, free=True),
        profile_name=status.text("profile_name", _MAX_NAME_CHARS),
        profile_version=status.text("profile_version", _MAX_NAME_CHARS),
        os_image_id=status.text("os_image_id", _MAX_TEXT_CHARS),
        os_update_available=status.text("os_update_available", MAX_DETAIL_CHARS, free=True),
        progress_percent=status.number("progress_percent", 0, MAX_PERCENT),
        phase=decode_phase(status.values),
        slots=decode_slots(status.values),
        quarantine=decode_quarantine(status.values),
    )


def encode_response(answer: Answer) -> dict[str, Any]:
    """The answer to one node, ready for JSON."""
    document: dict[str, Any] = {
        # The original node takes only an answer in which these three are set, if only to {}.
        "updateSource": {},
        "updateSchedule": _encode_schedules(answer.schedules),
        "osProfileUpdateSource": _encode_offer(answer.offer),
        "osType": answer.os_type.value,
    }
    if answer.clear_quarantine:
        document["clearQuarantine"] = list(answer.clear_quarantine)
    return document


def decode_response(document: Mapping[str, Any]) -> Answer:
    """What the maintenance manager answered.

    Raises:
        WireError: When a field is missing or has a wrong value; its `on` is the field's path.
    """
    response = Fields.of(document)
    response.needed("update_source")
    return Answer(
        offer=_decode_offer(response.message("os_profile_update_source")),
        schedules=_decode_schedules(response.message("update_schedule")),
        os_type=response.enum("os_type", OSType),
        clear_quarantine=tuple(
            matching(item, _FILE_HASH, path, _HASH_CHARS)
            for path, item in response.items("clear_quarantine", MAX_CLEARED)
        ),
    )


def _encode_offer(offer: Offer | None) -> dict[str, Any]:
    if offer is None:
        return {}
    source = {
        "osImageUrl": offer.url,
        "osImageId": offer.image_id,
        "osImageSha": offer.file_hash,
        "profileName": offer.profile_name,
        "profileVersion": offer.profile_version,
    }
    return {name: value for name, value in source.items() if value}


def _decode_offer(source: Fields | None) -> Offer | None:
    if source is None or not source.text("os_image_sha", _HASH_CHARS):
        return None
    return Offer(
        url=source.form("os_image_url", _TARGET_PATH, _MAX_TEXT_CHARS),
        image_id=source.form("os_image_id", _NAME, _MAX_NAME_CHARS),
        file_hash=source.form("os_image_sha", _FILE_HASH, _HASH_CHARS),
        profile_name=source.form("profile_name", _NAME, _MAX_NAME_CHARS),
        profile_version=source.text("profile_version", _MAX_NAME_CHARS),
    )


def _encode_schedules(schedules: Schedules) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if schedules.single is not None:
        single = {"startSeconds": str(schedules.single.start_s)}
        if schedules.single.end_s:
            single["endSeconds"] = str(schedules.single.end_s)
        document["singleSchedule"] = single
    if schedules.repeated:
        document["repeatedSchedules"] = [
            {
                "durationSeconds": repeated.duration_s,
                "cronMinutes": repeated.cron_minutes,
                "cronHours": repeated.cron_hours,
                "cronDayMonth": repeated.cron_day_month,
                "cronMonth": repeated.cron_month,
                "cronDayWeek": repeated.cron_day_week,
            }
            for repeated in schedules.repeated
        ]
    return document


def _decode_schedules(schedule: Fields | None) -> Schedules:
    if schedule is None:
        return Schedules()
    repeated = [
        _decode_repeated(Fields.of(item, path))
        for path, item in schedule.items("repeated_schedules", MAX_SCHEDULES)
    ]
    # Field 2 of the proto, deprecated: an old server may still set it, alone or as a copy.
    alone = schedule.message("repeated_schedule")
    if alone is not None and (only := _decode_repeated(alone)) not in repeated:
        repeated.append(only)
    return Schedules(
        single=_decode_single(schedule.message("single_schedule")),
        repeated=tuple(opening for opening in repeated if opening.duration_s),
    )


def _decode_single(single: Fields | None) -> SingleSchedule | None:
    if single is None:
        return None
    start_s = single.number("start_seconds", 1, MAX_TIME_S)
    end_s = single.number("end_seconds", 0, MAX_TIME_S) or 0
    if start_s is None:
        raise refused(single.at("start_seconds"), "it is missing")
    if 0 < end_s <= start_s:
        raise refused(single.at("end_seconds"), "it is not after the start")
    return SingleSchedule(start_s, end_s)


def _decode_repeated(repeated: Fields) -> RepeatedSchedule:
    fields = {name: repeated.form(name, form, MAX_CRON_CHARS) for name, form in FIELDS.items()}
    return RepeatedSchedule(
        duration_s=repeated.number("duration_seconds", 0, MAX_DURATION_S) or 0, **fields
    )
