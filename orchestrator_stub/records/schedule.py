# SPDX-License-Identifier: Apache-2.0
"""Schedules: single and repeated maintenance windows of a host, a site or a region."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id
from orchestrator_stub.records.host import Host
from orchestrator_stub.records.location import Region, Site
from orchestrator_stub.vocabulary import ScheduleStatus

_ONE_TARGET = (
    "(CASE WHEN host_id IS NULL THEN 0 ELSE 1 END"
    " + CASE WHEN site_id IS NULL THEN 0 ELSE 1 END"
    " + CASE WHEN region_id IS NULL THEN 0 ELSE 1 END) = 1"
)


class _Targeted:
    """A schedule's own fields and its one target; hosts inherit from site and regions."""

    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"), index=True)
    host_id: Mapped[str | None] = mapped_column(ForeignKey("host.id"), index=True)
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"), index=True)
    region_id: Mapped[str | None] = mapped_column(ForeignKey("region.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    schedule_status: Mapped[ScheduleStatus]
    version: Mapped[int] = mapped_column(default=1)

    @declared_attr
    def host(cls) -> Mapped[Host | None]:  # noqa: N805 - SQLAlchemy hands the class over
        return relationship(Host, lazy="joined")

    @declared_attr
    def site(cls) -> Mapped[Site | None]:  # noqa: N805 - SQLAlchemy hands the class over
        return relationship(Site, lazy="joined")

    @declared_attr
    def region(cls) -> Mapped[Region | None]:  # noqa: N805 - SQLAlchemy hands the class over
        return relationship(Region, lazy="joined")


class SingleSchedule(_Targeted, Base):
    """One maintenance window; `end_s` 0 means open-ended."""

    __tablename__ = "single_schedule"
    __table_args__ = (CheckConstraint(_ONE_TARGET, name="one_target"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("singlesche"))
    start_s: Mapped[int]
    end_s: Mapped[int] = mapped_column(default=0)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, object]:  # noqa: N805 - SQLAlchemy hands the class over
        return {"version_id_col": cls.__table__.c.version}


class RepeatedSchedule(_Targeted, Base):
    """Maintenance windows that open by cron fields, in UTC."""

    __tablename__ = "repeated_schedule"
    __table_args__ = (CheckConstraint(_ONE_TARGET, name="one_target"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("repeatedsche"))
    duration_s: Mapped[int]
    cron_minutes: Mapped[str]
    cron_hours: Mapped[str]
    cron_day_month: Mapped[str]
    cron_month: Mapped[str]
    cron_day_week: Mapped[str]

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, object]:  # noqa: N805 - SQLAlchemy hands the class over
        return {"version_id_col": cls.__table__.c.version}
