# SPDX-License-Identifier: Apache-2.0
"""What each list may be filtered and ordered by, in the spelling of its documents.

Of the original's fields that only answers have (`currentState`, `site.resourceId` …) these are the
ones that are kept here. Its words that are not used here are known, and equal nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import case, func, literal
from sqlalchemy.orm import QueryableAttribute, aliased

from orchestrator_stub.maintenance import host_status
from orchestrator_stub.records import (
    Host,
    Instance,
    OSResource,
    Policy,
    Region,
    RepeatedSchedule,
    Rollout,
    SingleSchedule,
    Site,
    UpdateRun,
)
from orchestrator_stub.rest.filtering import (
    MOMENT,
    NUMBER,
    REFERENCE,
    TEXT,
    Field,
    Fields,
    Words,
)
from orchestrator_stub.vocabulary import (
    HostState,
    Indication,
    InstanceState,
    PolicyKind,
    RolloutState,
    ScheduleStatus,
)

Joins = tuple[QueryableAttribute[Any], ...]

_Os: Final = aliased(OSResource)
_Available: Final = aliased(OSResource)
_Target: Final = aliased(OSResource)
_Parent: Final = aliased(Region)
_OS: Final = Instance.os.of_type(_Os)
_AVAILABLE: Final = Instance.available_os.of_type(_Available)
_TARGET: Final = Policy.target_os.of_type(_Target)
_PARENT: Final = Region.parent.of_type(_Parent)
_Scheduled = type[SingleSchedule] | type[RepeatedSchedule]


def _words(vocabulary: Iterable[StrEnum], *others: str) -> Words:
    return Words(frozenset([*map(str, vocabulary), *others]))


_HOST_STATE: Final = _words(
    HostState, *(f"HOST_STATE_{word}" for word in ("UNSPECIFIED", "DELETED", "ERROR"))
)
_INSTANCE_STATE: Final = _words(
    InstanceState, *(f"INSTANCE_STATE_{word}" for word in ("DELETED", "UNTRUSTED"))
)
_INDICATION: Final = _words(Indication)


def _common(table: Any) -> dict[str, Field]:  # noqa: ANN401 - any record with an id
    return {
        "resourceId": Field(TEXT, table.id),
        "timestamps.createdAt": Field(MOMENT, table.created_s),
        "timestamps.updatedAt": Field(MOMENT, table.updated_s),
    }


def _under(prefix: str, fields: Fields) -> dict[str, Field]:
    return {f"{prefix}.{name}": field for name, field in fields.items()}


def _site(key: QueryableAttribute[Any], joins: Joins) -> dict[str, Field]:
    """The fields of a record's site; `joins` leads to it."""
    around = (*joins, Site.region)
    return {
        "": Field(REFERENCE, key),
        ".resourceId": Field(TEXT, key),
        ".name": Field(TEXT, Site.name, joins),
        ".region": Field(REFERENCE, Site.region_id, joins),
        ".region.resourceId": Field(TEXT, Site.region_id, joins),
        ".region.name": Field(TEXT, Region.name, around),
    }


def _instance(joins: Joins) -> dict[str, Field]:
    """The fields of an instance itself; `joins` leads to it."""
    lives = case((Instance.id.is_not(None), literal(InstanceState.RUNNING.value)))
    return {
        "resourceId": Field(TEXT, Instance.id, joins),
        "name": Field(TEXT, Instance.name, joins),
        "currentState": Field(_INSTANCE_STATE, Instance.state, joins),
        "desiredState": Field(_INSTANCE_STATE, lives, joins),
        "profileName": Field(TEXT, Instance.profile_name, joins),
        "imageId": Field(TEXT, Instance.image_id, joins),
        "instanceStatusDetail": Field(TEXT, Instance.detail, joins),
        "updateStatus": Field(TEXT, Instance.update_status, joins),
        "updateStatusIndicator": Field(_INDICATION, Instance.update_status_indicator, joins),
        "updateStatusTimestamp": Field(NUMBER, Instance.update_status_s, joins),
        "updateProgressPercent": Field(NUMBER, Instance.update_progress_percent, joins),
        "updatePhase": Field(TEXT, Instance.phase, joins),
        "osUpdateAvailable": Field(TEXT, _Available.name, (*joins, _AVAILABLE)),
        "os": Field(REFERENCE, Instance.os_id, joins),
        "os.resourceId": Field(TEXT, Instance.os_id, joins),
        "os.name": Field(TEXT, _Os.name, (*joins, _OS)),
        "os.imageId": Field(TEXT, _Os.image_id, (*joins, _OS)),
        "updatePolicy": Field(REFERENCE, Instance.policy_id, joins),
        "updatePolicy.resourceId": Field(TEXT, Instance.policy_id, joins),
        "updatePolicy.name": Field(TEXT, Policy.name, (*joins, Instance.policy)),
    }


def hosts(now_s: int) -> Fields:
    """The fields of hosts; their status follows from the time."""
    joins: Joins = (Host.instance,)
    text, indicator = host_status.text_in_sql(now_s), host_status.indicator_in_sql(now_s)
    return {
        **_common(Host),
        "name": Field(TEXT, Host.name),
        "uuid": Field(TEXT, Host.uuid),
        "note": Field(TEXT, Host.note),
        "currentState": Field(_HOST_STATE, Host.state),
        "desiredState": Field(_HOST_STATE, Host.state),
        "hostStatus": Field(TEXT, text, joins),
        "hostStatusIndicator": Field(_INDICATION, indicator, joins),
        "hostStatusTimestamp": Field(NUMBER, func.coalesce(Host.last_seen_s, 0)),
        **{f"site{name}": field for name, field in _site(Host.site_id, (Host.site,)).items()},
        "instance": Field(REFERENCE, Instance.id, joins),
        **_under("instance", _instance(joins)),
    }


INSTANCES: Final[Fields] = {
    **_common(Instance),
    **_instance(()),
    "host.resourceId": Field(TEXT, Instance.host_id),
    "host.name": Field(TEXT, Host.name, (Instance.host,)),
    "host.uuid": Field(TEXT, Host.uuid, (Instance.host,)),
}

OPERATING_SYSTEMS: Final[Fields] = {
    **_common(OSResource),
    "name": Field(TEXT, OSResource.name),
    "profileName": Field(TEXT, OSResource.profile_name),
    "profileVersion": Field(TEXT, OSResource.profile_version),
    "imageId": Field(TEXT, OSResource.image_id),
    "sha256": Field(TEXT, OSResource.file_hash),
    "osType": Field(TEXT, OSResource.os_type),
    "osProvider": Field(TEXT, OSResource.os_provider),
    "securityFeature": Field(TEXT, OSResource.security_feature),
    "architecture": Field(TEXT, OSResource.architecture),
    "description": Field(TEXT, OSResource.description),
    "withdrawnReason": Field(TEXT, OSResource.withdrawn_reason),
}

_POLICY: Final[Fields] = {
    "name": Field(TEXT, Policy.name),
    "description": Field(TEXT, Policy.description),
    "updatePolicy": Field(_words(PolicyKind), Policy.kind),
    "targetOs": Field(REFERENCE, Policy.target_os_id),
    "targetOs.resourceId": Field(TEXT, Policy.target_os_id),
    "targetOs.name": Field(TEXT, _Target.name, (_TARGET,)),
    "targetOs.imageId": Field(TEXT, _Target.image_id, (_TARGET,)),
}
POLICIES: Final[Fields] = {**_common(Policy), **_POLICY}

RUNS: Final[Fields] = {
    **_common(UpdateRun),
    "name": Field(TEXT, UpdateRun.name),
    "description": Field(TEXT, UpdateRun.description),
    "imageId": Field(TEXT, UpdateRun.image_id),
    "status": Field(TEXT, UpdateRun.status),
    "statusIndicator": Field(_INDICATION, UpdateRun.status_indicator),
    "statusTimestamp": Field(NUMBER, UpdateRun.status_s),
    "startTime": Field(NUMBER, UpdateRun.start_s),
    "endTime": Field(NUMBER, UpdateRun.end_s),
    "instance.resourceId": Field(TEXT, UpdateRun.instance_id),
    "instance.name": Field(TEXT, Instance.name, (UpdateRun.instance,)),
    "instance.host.resourceId": Field(TEXT, Instance.host_id, (UpdateRun.instance,)),
    "instance.host.name": Field(TEXT, Host.name, (UpdateRun.instance, Instance.host)),
    "appliedPolicy": Field(REFERENCE, UpdateRun.policy_id),
    "appliedPolicy.resourceId": Field(TEXT, UpdateRun.policy_id),
    "appliedPolicy.name": Field(TEXT, Policy.name, (UpdateRun.policy,)),
}

REGIONS: Final[Fields] = {
    **_common(Region),
    "name": Field(TEXT, Region.name),
    "parentRegion": Field(REFERENCE, Region.parent_id),
    "parentRegion.resourceId": Field(TEXT, Region.parent_id),
    "parentRegion.name": Field(TEXT, _Parent.name, (_PARENT,)),
}

SITES: Final[Fields] = {
    **_common(Site),
    "name": Field(TEXT, Site.name),
    "region": Field(REFERENCE, Site.region_id),
    "region.resourceId": Field(TEXT, Site.region_id),
    "region.name": Field(TEXT, Region.name, (Site.region,)),
}

ROLLOUTS: Final[Fields] = {
    **_common(Rollout),
    "state": Field(_words(RolloutState), Rollout.state),
    "wave": Field(NUMBER, Rollout.wave),
    "reason": Field(TEXT, Rollout.reason),
    "policy.resourceId": Field(TEXT, Rollout.policy_id),
    "policy.name": Field(TEXT, Policy.name, (Rollout.policy,)),
    "os.resourceId": Field(TEXT, Rollout.os_id),
    "os.name": Field(TEXT, OSResource.name, (Rollout.os,)),
    "os.imageId": Field(TEXT, OSResource.image_id, (Rollout.os,)),
}


def scheduled(table: _Scheduled) -> dict[str, Field]:
    """The fields that single and repeated schedules share."""
    host: Joins = (table.host,)
    return {
        **_common(table),
        "name": Field(TEXT, table.name),
        "scheduleStatus": Field(
            _words(
                ScheduleStatus,
                *(f"SCHEDULE_STATUS_{word}" for word in ("FIRMWARE_UPDATE", "CLUSTER_UPDATE")),
            ),
            table.schedule_status,
        ),
        "targetHost": Field(REFERENCE, table.host_id),
        "targetHost.resourceId": Field(TEXT, table.host_id),
        "targetHost.name": Field(TEXT, Host.name, host),
        "targetHost.uuid": Field(TEXT, Host.uuid, host),
        "targetSite": Field(REFERENCE, table.site_id),
        "targetSite.resourceId": Field(TEXT, table.site_id),
        "targetSite.name": Field(TEXT, Site.name, (table.site,)),
        "targetRegion": Field(REFERENCE, table.region_id),
        "targetRegion.resourceId": Field(TEXT, table.region_id),
        "targetRegion.name": Field(TEXT, Region.name, (table.region,)),
    }


SINGLE_SCHEDULES: Final[Fields] = {
    **scheduled(SingleSchedule),
    "startSeconds": Field(NUMBER, SingleSchedule.start_s),
    "endSeconds": Field(NUMBER, SingleSchedule.end_s),
}

REPEATED_SCHEDULES: Final[Fields] = {
    **scheduled(RepeatedSchedule),
    "durationSeconds": Field(NUMBER, RepeatedSchedule.duration_s),
}
