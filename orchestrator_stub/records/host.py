# SPDX-License-Identifier: Apache-2.0
"""Hosts and their instances: the machines, the OS on each, and the last that its node has said."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import IMAGE_ID_CHARS, Base, new_id, now_s
from orchestrator_stub.records.location import Site
from orchestrator_stub.records.os_resource import OSResource
from orchestrator_stub.records.policy import Policy
from orchestrator_stub.vocabulary import HostState, Indication, InstanceState


class Host(Base):
    """A machine; `uuid` is the GUID that its node reports with.

    Tokens made before `tokens_valid_from_s` are refused, and so are those of a host that had this
    GUID before and was deleted; `token_expires_s` is the end of the one that the node presented
    last. `last_seen_s` may be some seconds behind (`maintenance.presence`).
    """

    __tablename__ = "host"
    __table_args__ = (
        UniqueConstraint("project_uuid", "uuid"),
        Index(None, "project_uuid", "name"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("host"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str] = mapped_column(String(63))
    uuid: Mapped[str] = mapped_column(String(36))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"), index=True)
    state: Mapped[HostState] = mapped_column(default=HostState.ONBOARDED)
    note: Mapped[str] = mapped_column(default="")
    tokens_valid_from_s: Mapped[int] = mapped_column(default=now_s)
    token_expires_s: Mapped[int | None]
    last_seen_s: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)
    site: Mapped[Site | None] = relationship(lazy="joined")
    instance: Mapped[Instance | None] = relationship(back_populates="host", lazy="joined")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy reads it


class Instance(Base):
    """The OS on a host.

    Three views of the OS are kept apart: the profile that the host was enrolled with, the image id
    that the node last said it runs, and the OS resource of these two, when there is one.
    `available_os` is the newest of the profile while it is newer than what runs.

    Attributes:
        quarantine: File hashes of the images that the node does not try again by itself.
        released: File hashes that an operator wants tried again; they go to the node.
        slots: Name, image id, state and assessment of each slot, as the node last told them.
        phase: What the node does within a status, such as `writing`; empty when it does not say.
    """

    __tablename__ = "instance"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("inst"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"), index=True)
    host_id: Mapped[str] = mapped_column(ForeignKey("host.id"), unique=True)
    name: Mapped[str]
    state: Mapped[InstanceState] = mapped_column(default=InstanceState.UNSPECIFIED)
    profile_name: Mapped[str] = mapped_column(String(IMAGE_ID_CHARS))
    image_id: Mapped[str] = mapped_column(String(IMAGE_ID_CHARS), default="")
    os_id: Mapped[str | None] = mapped_column(ForeignKey("os_resource.id"), index=True)
    available_os_id: Mapped[str | None] = mapped_column(ForeignKey("os_resource.id"), index=True)
    policy_id: Mapped[str | None] = mapped_column(ForeignKey("os_update_policy.id"), index=True)
    detail: Mapped[str] = mapped_column(default="")
    update_status: Mapped[str] = mapped_column(default="")
    update_status_indicator: Mapped[Indication] = mapped_column(default=Indication.UNSPECIFIED)
    update_status_detail: Mapped[str] = mapped_column(default="")
    update_status_s: Mapped[int] = mapped_column(default=0)
    update_progress_percent: Mapped[int | None]
    phase: Mapped[str] = mapped_column(String(40), default="")
    slots: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    quarantine: Mapped[list[str]] = mapped_column(default=list)
    released: Mapped[list[str]] = mapped_column(default=list)
    existing_cves: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    version: Mapped[int] = mapped_column(default=1)
    host: Mapped[Host] = relationship(back_populates="instance")
    os: Mapped[OSResource | None] = relationship(lazy="joined", foreign_keys=[os_id])
    available_os: Mapped[OSResource | None] = relationship(
        lazy="joined", foreign_keys=[available_os_id]
    )
    policy: Mapped[Policy | None] = relationship(lazy="joined")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy reads it
