# SPDX-License-Identifier: Apache-2.0
"""The records as the REST API shows them: names and enum words of protocol.md §3b, §4 and §5.

A field that refers to nothing is left out. Two fields of an instance are ours: `imageId`, what the
node last said it runs, and `updateProgressPercent` while it downloads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.status import host_status
from orchestrator_stub.tables import (
    Base,
    Host,
    Instance,
    OSResource,
    Policy,
    RepeatedSchedule,
    SingleSchedule,
    UpdateRun,
)
from orchestrator_stub.vocabulary import HostState, Indication, InstanceState


def host(row: Host, resources: OSResources, now_s: int) -> dict[str, Any]:
    """A host with its instance."""
    status = host_status(row.last_seen_s, now_s)
    return {
        **_host_reference(row),
        "currentState": row.state,
        "desiredState": row.state,
        "note": row.note,
        "hostStatus": status.text,
        "hostStatusIndicator": status.indicator,
        "hostStatusTimestamp": row.last_seen_s or 0,
        **({"instance": _instance(row.instance, resources)} if row.instance else {}),
        "timestamps": _timestamps(row),
    }


def instance(row: Instance, resources: OSResources) -> dict[str, Any]:
    """An instance with its host."""
    return {**_instance(row, resources), "host": _host_reference(row.host)}


def operating_system(row: OSResource) -> dict[str, Any]:
    """An OS resource; `withdrawnReason`, ours, is there when its release was withdrawn."""
    return {
        "resourceId": row.id,
        "osResourceID": row.id,
        "name": row.name,
        "profileName": row.profile_name,
        "profileVersion": row.profile_version,
        "imageId": row.image_id,
        "imageUrl": row.image_url,
        "sha256": row.file_hash,
        "osType": row.os_type,
        "osProvider": row.os_provider,
        "securityFeature": row.security_feature,
        "architecture": row.architecture,
        "description": row.description,
        "installedPackagesUrl": row.installed_packages_url,
        "existingCvesUrl": row.existing_cves_url,
        "fixedCvesUrl": row.fixed_cves_url,
        **({"withdrawnReason": row.withdrawn_reason} if row.withdrawn_reason is not None else {}),
        "timestamps": _timestamps(row),
    }


def policy(row: Policy) -> dict[str, Any]:
    """An OS update policy."""
    return {
        "resourceId": row.id,
        "name": row.name,
        "description": row.description,
        "updatePolicy": row.kind,
        "updatePackages": row.update_packages,
        "updateSources": row.update_sources,
        "updateKernelCommand": row.update_kernel_command,
        **({"targetOs": operating_system(row.target_os)} if row.target_os else {}),
        "timestamps": _timestamps(row),
    }


def run(row: UpdateRun) -> dict[str, Any]:
    """An update run; `endTime` is 9999999999 while it goes on."""
    return {
        "resourceId": row.id,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "statusIndicator": row.status_indicator,
        "statusDetails": row.status_details,
        "statusTimestamp": row.status_s,
        "startTime": row.start_s,
        "endTime": row.end_s,
        "instance": {"resourceId": row.instance_id, "name": row.instance.name},
        **({"appliedPolicy": policy(row.policy)} if row.policy else {}),
        "timestamps": _timestamps(row),
    }


def single_schedule(row: SingleSchedule) -> dict[str, Any]:
    """A single schedule; an open-ended one has no `endSeconds`."""
    return {
        "resourceId": row.id,
        "singleScheduleID": row.id,
        "name": row.name,
        "scheduleStatus": row.schedule_status,
        "startSeconds": row.start_s,
        **({"endSeconds": row.end_s} if row.end_s else {}),
        "targetHost": _host_reference(row.host),
        "timestamps": _timestamps(row),
    }


def repeated_schedule(row: RepeatedSchedule) -> dict[str, Any]:
    """A repeated schedule."""
    return {
        "resourceId": row.id,
        "repeatedScheduleID": row.id,
        "name": row.name,
        "scheduleStatus": row.schedule_status,
        "durationSeconds": row.duration_s,
        "cronMinutes": row.cron_minutes,
        "cronHours": row.cron_hours,
        "cronDayMonth": row.cron_day_month,
        "cronMonth": row.cron_month,
        "cronDayWeek": row.cron_day_week,
        "targetHost": _host_reference(row.host),
        "timestamps": _timestamps(row),
    }


def _host_reference(row: Host) -> dict[str, Any]:
    return {"resourceId": row.id, "name": row.name, "uuid": row.uuid}


def _instance(row: Instance, resources: OSResources) -> dict[str, Any]:
    available = resources.available(row)
    running = (
        row.state is InstanceState.RUNNING
        and row.host.state is HostState.ONBOARDED
        and row.host.last_seen_s is not None  # enrolled only, its node may not even be installed
    )
    return {
        "resourceId": row.id,
        "instanceID": row.id,
        "kind": "INSTANCE_KIND_METAL",
        "name": row.name,
        "currentState": row.state,
        "desiredState": InstanceState.RUNNING,
        "profileName": row.profile_name,
        "imageId": row.image_id,
        "instanceStatus": "Running" if running else "Unknown",
        "instanceStatusIndicator": Indication.IDLE if running else Indication.UNSPECIFIED,
        "instanceStatusDetail": row.detail,
        "updateStatus": row.update_status,
        "updateStatusIndicator": row.update_status_indicator,
        "updateStatusTimestamp": row.update_status_s,
        "updateStatusDetail": row.update_status_detail,
        "osUpdateAvailable": available.name if available else "",
        **({"os": operating_system(row.os)} if row.os else {}),
        **({"updatePolicy": policy(row.policy)} if row.policy else {}),
        **(
            {"updateProgressPercent": row.update_progress_percent}
            if row.update_progress_percent is not None
            else {}
        ),
        "timestamps": _timestamps(row),
    }


def _timestamps(row: Base) -> dict[str, str]:
    return {"createdAt": _rfc3339(row.created_s), "updatedAt": _rfc3339(row.updated_s)}


def _rfc3339(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
