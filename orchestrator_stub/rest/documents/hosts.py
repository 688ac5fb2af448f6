# SPDX-License-Identifier: Apache-2.0
"""Hosts, and instances with their hosts, as documents."""

from __future__ import annotations

from orchestrator_stub.maintenance.host_status import status_of_host
from orchestrator_stub.records import Host, Instance
from orchestrator_stub.rest.documents.base import Document, HostReference, Maybe, Timestamps
from orchestrator_stub.rest.documents.base import timestamps as times
from orchestrator_stub.rest.documents.instances import (
    InstanceSummary,
    instance_facts,
    short_instance,
)
from orchestrator_stub.rest.documents.locations import SiteResource, site
from orchestrator_stub.rest.documents.operating_systems import json_list
from orchestrator_stub.vocabulary import HostState, Indication


class HostResource(Document):
    """A host with its site and its instance."""

    resource_id: str
    name: str
    uuid: str
    current_state: HostState
    desired_state: HostState
    note: str
    site: Maybe[SiteResource] = None
    host_status: str
    host_status_indicator: Indication
    host_status_timestamp: int
    instance: Maybe[InstanceSummary] = None
    timestamps: Timestamps


class InstanceResource(InstanceSummary):
    """An instance with its host; `existingCves` is JSON in a string, as the original has it."""

    host: HostReference
    existing_cves: str


def host(row: Host, now_s: int) -> HostResource:
    """A host."""
    status = status_of_host(row, now_s)
    return HostResource(
        resource_id=row.id,
        name=row.name,
        uuid=row.uuid,
        current_state=row.state,
        desired_state=row.state,
        note=row.note,
        site=site(row.site) if row.site else None,
        host_status=status.text,
        host_status_indicator=status.indicator,
        host_status_timestamp=row.last_seen_s or 0,
        instance=short_instance(row.instance) if row.instance else None,
        timestamps=times(row),
    )


def instance(row: Instance) -> InstanceResource:
    """An instance."""
    return InstanceResource(
        **instance_facts(row),
        host=host_reference(row.host),
        existing_cves=json_list(row.existing_cves),
    )


def host_reference(row: Host) -> HostReference:
    """A host, where another record refers to it."""
    return HostReference(resource_id=row.id, name=row.name, uuid=row.uuid)
