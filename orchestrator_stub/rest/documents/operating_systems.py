# SPDX-License-Identifier: Apache-2.0
"""OS resources as documents: in short where others refer to them, whole in their own list."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from orchestrator_stub.records import OSResource
from orchestrator_stub.rest.documents.base import Document, Maybe, Timestamps, timestamps


class OperatingSystemSummary(Document):
    """An OS resource.

    `withdrawnReason`, ours, is there when its release was withdrawn; `refusedSha256` when another
    file was published later under the same version.
    """

    resource_id: str
    os_resource_id: str = Field(alias="osResourceID", description="The same as resourceId.")
    name: str
    profile_name: str
    profile_version: str
    image_id: str
    image_url: str
    sha256: str
    os_type: str
    os_provider: str
    security_feature: str
    architecture: str
    description: str
    installed_packages_url: str
    existing_cves_url: str
    fixed_cves_url: str
    withdrawn_reason: Maybe[str] = None
    refused_sha256: Maybe[str] = None
    timestamps: Timestamps


class OperatingSystemResource(OperatingSystemSummary):
    """An OS resource with its lists; those that the original has as JSON in a string are so."""

    installed_packages: str
    existing_cves: str
    fixed_cves: str
    platform_bundle: dict[str, Any]
    tls_ca_cert: str


def operating_system(row: OSResource) -> OperatingSystemResource:
    """An OS resource, whole."""
    return OperatingSystemResource(
        **_facts(row),
        installed_packages=row.installed_packages,
        existing_cves=json_list(row.existing_cves),
        fixed_cves=json_list(row.fixed_cves),
        platform_bundle=row.platform_bundle,
        tls_ca_cert=row.tls_ca_cert,
    )


def short_operating_system(row: OSResource) -> OperatingSystemSummary:
    """An OS resource, where another record refers to it."""
    return OperatingSystemSummary(**_facts(row))


def json_list(rows: list[dict[str, Any]]) -> str:
    """A list as the original API has it: JSON in a string, or an empty string."""
    return json.dumps(rows, separators=(",", ":")) if rows else ""


def _facts(row: OSResource) -> dict[str, Any]:
    return {
        "resource_id": row.id,
        "os_resource_id": row.id,
        "name": row.name,
        "profile_name": row.profile_name,
        "profile_version": row.profile_version,
        "image_id": row.image_id,
        "image_url": row.image_url,
        "sha256": row.file_hash,
        "os_type": row.os_type,
        "os_provider": row.os_provider,
        "security_feature": row.security_feature,
        "architecture": row.architecture,
        "description": row.description,
        "installed_packages_url": row.installed_packages_url,
        "existing_cves_url": row.existing_cves_url,
        "fixed_cves_url": row.fixed_cves_url,
        "withdrawn_reason": row.withdrawn_reason,
        "refused_sha256": row.refused_hash or None,
        "timestamps": timestamps(row),
    }
