# SPDX-License-Identifier: Apache-2.0
"""OS resources: one record for each image that the release service has published."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator_stub.records.base import IMAGE_ID_CHARS, Base, new_id


class OSResource(Base):
    """One image: an OS profile and an image id, made from the release service's manifest.

    `refused_hash` is another file hash that was published later under the same version: it is
    never taken, and shown until it is gone from the release service.
    """

    __tablename__ = "os_resource"
    __table_args__ = (UniqueConstraint("project_uuid", "profile_name", "image_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("os"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str]
    profile_name: Mapped[str] = mapped_column(String(IMAGE_ID_CHARS))
    profile_version: Mapped[str] = mapped_column(default="")
    image_id: Mapped[str] = mapped_column(String(IMAGE_ID_CHARS))
    image_url: Mapped[str]
    file_hash: Mapped[str] = mapped_column(String(64))
    refused_hash: Mapped[str] = mapped_column(String(64), default="")
    os_type: Mapped[str]
    os_provider: Mapped[str]
    security_feature: Mapped[str]
    architecture: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    platform_bundle: Mapped[dict[str, Any]] = mapped_column(default=dict)
    installed_packages_url: Mapped[str] = mapped_column(default="")
    installed_packages: Mapped[str] = mapped_column(default="")
    existing_cves_url: Mapped[str] = mapped_column(default="")
    existing_cves: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    fixed_cves_url: Mapped[str] = mapped_column(default="")
    fixed_cves: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    tls_ca_cert: Mapped[str] = mapped_column(default="")
    withdrawn_reason: Mapped[str | None]
