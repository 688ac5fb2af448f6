# SPDX-License-Identifier: Apache-2.0
"""Sites and regions as documents."""

from __future__ import annotations

from pydantic import Field

from orchestrator_stub.records import Region, Site
from orchestrator_stub.rest.documents.base import Document, Maybe, Timestamps, timestamps


class RegionResource(Document):
    """A region, with the regions around it."""

    resource_id: str
    region_id: str = Field(alias="regionID", description="The same as resourceId.")
    name: str
    parent_region: Maybe[RegionResource] = None
    timestamps: Timestamps


class SiteResource(Document):
    """A site, with its region."""

    resource_id: str
    site_id: str = Field(alias="siteID", description="The same as resourceId.")
    name: str
    region: Maybe[RegionResource] = None
    timestamps: Timestamps


def region(row: Region) -> RegionResource:
    """A region; the tree has no cycle and is not deep (`rest.regions`)."""
    return RegionResource(
        resource_id=row.id,
        regionID=row.id,
        name=row.name,
        parent_region=region(row.parent) if row.parent else None,
        timestamps=timestamps(row),
    )


def site(row: Site) -> SiteResource:
    """A site."""
    return SiteResource(
        resource_id=row.id,
        siteID=row.id,
        name=row.name,
        region=region(row.region) if row.region else None,
        timestamps=timestamps(row),
    )
