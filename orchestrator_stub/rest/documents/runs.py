# SPDX-License-Identifier: Apache-2.0
"""Update runs as documents."""

from __future__ import annotations

from pydantic import Field

from orchestrator_stub.records import OPEN_END_S, UpdateRun
from orchestrator_stub.rest.documents.base import (
    Document,
    HostReference,
    Maybe,
    Reference,
    Timestamps,
    timestamps,
)
from orchestrator_stub.rest.documents.hosts import host_reference
from orchestrator_stub.rest.documents.policies import OSUpdatePolicy, policy
from orchestrator_stub.vocabulary import Indication


class RunInstance(Reference):
    """The instance of an update run."""

    host: HostReference


class OSUpdateRun(Document):
    """An update run; `imageId`, ours, is the image that it was to bring."""

    resource_id: str
    name: str
    description: str
    status: str
    status_indicator: Indication
    status_details: str
    status_timestamp: int
    start_time: int
    end_time: int = Field(description=f"{OPEN_END_S} while it goes on.")
    image_id: str
    instance: RunInstance
    applied_policy: Maybe[OSUpdatePolicy] = None
    timestamps: Timestamps


def run(row: UpdateRun) -> OSUpdateRun:
    """An update run."""
    return OSUpdateRun(
        resource_id=row.id,
        name=row.name,
        description=row.description,
        status=row.status,
        status_indicator=row.status_indicator,
        status_details=row.status_details,
        status_timestamp=row.status_s,
        start_time=row.start_s,
        end_time=row.end_s,
        image_id=row.image_id,
        instance=RunInstance(
            resource_id=row.instance_id,
            name=row.instance.name,
            host=host_reference(row.instance.host),
        ),
        applied_policy=policy(row.policy) if row.policy else None,
        timestamps=timestamps(row),
    )
