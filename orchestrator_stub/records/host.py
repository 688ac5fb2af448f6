# SPDX-License-Identifier: Apache-2.0
"""Hosts: the machines, each with a node on it that reports."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id, now_s
from orchestrator_stub.records.instance import Instance
from orchestrator_stub.records.location import Site
from orchestrator_stub.vocabulary import HostState


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
