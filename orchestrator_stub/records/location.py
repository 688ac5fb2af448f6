# SPDX-License-Identifier: Apache-2.0
"""Locations: regions within regions, and sites in them. Schedules are inherited downwards."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id


class Region(Base):
    """A region, maybe within another one."""

    __tablename__ = "region"
    __table_args__ = (UniqueConstraint("project_uuid", "name"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("region"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str] = mapped_column(String(50))
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("region.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)
    parent: Mapped[Region | None] = relationship(remote_side="Region.id")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy reads it


class Site(Base):
    """A place where hosts stand."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("project_uuid", "name"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("site"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str] = mapped_column(String(50))
    region_id: Mapped[str | None] = mapped_column(ForeignKey("region.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)
    region: Mapped[Region | None] = relationship(lazy="joined")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy reads it
