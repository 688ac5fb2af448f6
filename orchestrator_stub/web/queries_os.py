# SPDX-License-Identifier: Apache-2.0
"""OS resources by profile, with the hosts on each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only

from orchestrator_stub.records import Instance, OSResource
from orchestrator_stub.web import quarantine
from puad.core.version import VersionKey, version_key

MAX_SHOWN: Final = 500
_COLUMNS: Final = (
    OSResource.name,
    OSResource.profile_name,
    OSResource.image_id,
    OSResource.file_hash,
    OSResource.refused_hash,
    OSResource.withdrawn_reason,
    OSResource.created_s,
)
# a list of CVEs may be long: only its length is read, by a function that both databases have
_FIXED: Final = func.json_array_length(OSResource.fixed_cves)


@dataclass(frozen=True, slots=True)
class ShownResource:
    """One OS resource as the list shows it."""

    row: OSResource
    fixed: int
    hosts: int
    quarantined: int
    is_newest: bool


@dataclass(frozen=True, slots=True)
class ShownProfile:
    """A profile with its OS resources, the newest first."""

    name: str
    resources: list[ShownResource]


def by_profile(session: Session, project_uuid: str) -> list[ShownProfile]:
    """The OS resources of a project."""
    rows = session.execute(
        select(OSResource, _FIXED)
        .where(OSResource.project_uuid == project_uuid)
        .options(load_only(*_COLUMNS))
        .order_by(OSResource.created_s.desc())
        .limit(MAX_SHOWN)
    ).all()
    hosts = hosts_on(session, project_uuid)
    quarantined = quarantine.counts(session, project_uuid)
    fixed = {row.id: count for row, count in rows}
    ordered = sorted((row for row, _ in rows), key=_newest_first, reverse=True)
    profiles = []
    by_name = sorted(ordered, key=lambda row: row.profile_name)
    for name, group in groupby(by_name, key=lambda row: row.profile_name):
        resources = list(group)
        newest = next((row for row in resources if row.withdrawn_reason is None), None)
        shown = [
            ShownResource(
                row=row,
                fixed=fixed[row.id],
                hosts=hosts.get(row.id, 0),
                quarantined=quarantined[row.file_hash],
                is_newest=row is newest,
            )
            for row in resources
        ]
        profiles.append(ShownProfile(name, shown))
    return profiles


def _newest_first(row: OSResource) -> VersionKey:
    return version_key(row.image_id)


def hosts_on(session: Session, project_uuid: str) -> dict[str, int]:
    """How many hosts run each OS resource, by its id."""
    rows = session.execute(
        select(Instance.os_id, func.count())
        .where(Instance.project_uuid == project_uuid, Instance.os_id.is_not(None))
        .group_by(Instance.os_id)
    )
    return {str(os_id): int(count) for os_id, count in rows}
