# SPDX-License-Identifier: Apache-2.0
"""Instances: the OS on a host, and the last that its node has said about updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id
from orchestrator_stub.records.os_resource import OSResource
from orchestrator_stub.records.policy import Policy
from orchestrator_stub.vocabulary import Indication, InstanceState

if TYPE_CHECKING:
    from orchestrator_stub.records.host import Host


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
    profile_name: Mapped[str] = mapped_column(String(128))
    image_id: Mapped[str] = mapped_column(String(128), default="")
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
