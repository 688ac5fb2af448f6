# SPDX-License-Identifier: Apache-2.0
"""Instances as documents, without their host."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from orchestrator_stub.maintenance.status import status_of_instance
from orchestrator_stub.records import Instance
from orchestrator_stub.rest.documents.base import Document, Maybe, Timestamps, timestamps
from orchestrator_stub.rest.documents.operating_systems import (
    OperatingSystemSummary,
    short_operating_system,
)
from orchestrator_stub.rest.documents.policies import OSUpdatePolicy, policy
from orchestrator_stub.vocabulary import Indication, InstanceState

KIND = "INSTANCE_KIND_METAL"


class InstanceSummary(Document):
    """The OS on a host.

    Ours are `profileName`, `imageId` (what the node last said it runs), `updateStatusDetail`,
    `updateProgressPercent`, `updatePhase` and `slots` (as the node tells them), `quarantine` (the
    file hashes that the node does not try again by itself) and `released` (those that an operator
    wants tried again).
    """

    resource_id: str
    instance_id: str = Field(alias="instanceID", description="The same as resourceId.")
    kind: str
    name: str
    current_state: InstanceState
    desired_state: InstanceState
    profile_name: str
    image_id: str
    instance_status: str
    instance_status_indicator: Indication
    instance_status_detail: str
    update_status: str
    update_status_indicator: Indication
    update_status_timestamp: int
    update_status_detail: str
    os_update_available: str
    os: Maybe[OperatingSystemSummary] = None
    update_policy: Maybe[OSUpdatePolicy] = None
    update_progress_percent: Maybe[int] = None
    update_phase: Maybe[str] = None
    slots: list[dict[str, Any]]
    quarantine: list[str]
    released: list[str]
    timestamps: Timestamps


def short_instance(row: Instance) -> InstanceSummary:
    """An instance, where its host shows it."""
    return InstanceSummary(**instance_facts(row))


def instance_facts(row: Instance) -> dict[str, Any]:
    """What every document of an instance says."""
    status = status_of_instance(row)
    return {
        "resource_id": row.id,
        "instance_id": row.id,
        "kind": KIND,
        "name": row.name,
        "current_state": row.state,
        "desired_state": InstanceState.RUNNING,
        "profile_name": row.profile_name,
        "image_id": row.image_id,
        "instance_status": status.text,
        "instance_status_indicator": status.indicator,
        "instance_status_detail": row.detail,
        "update_status": row.update_status,
        "update_status_indicator": row.update_status_indicator,
        "update_status_timestamp": row.update_status_s,
        "update_status_detail": row.update_status_detail,
        "os_update_available": row.available_os.name if row.available_os else "",
        "os": short_operating_system(row.os) if row.os else None,
        "update_policy": policy(row.policy) if row.policy else None,
        "update_progress_percent": row.update_progress_percent,
        "update_phase": row.phase or None,
        "slots": row.slots,
        "quarantine": row.quarantine,
        "released": row.released,
        "timestamps": timestamps(row),
    }
