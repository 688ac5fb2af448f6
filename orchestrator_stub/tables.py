# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's records as tables: what it knows of hosts, images, policies and runs.

Every time is a whole number of seconds of Unix time, so that no database can shift its zone. A
host's instance keeps three views of its OS apart: the profile that it was enrolled with, the image
id that the node last said it runs, and the OS resource of these two, when there is one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Enum, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from orchestrator_stub.vocabulary import (
    HostState,
    Indication,
    InstanceState,
    PolicyKind,
    ScheduleStatus,
)

OPEN_END_S: Final = 9_999_999_999
"""The end time of an update run that is still going on (protocol.md §3a)."""


def _now_s() -> int:
    return int(time.time())


def _new_id(prefix: str) -> Callable[[], str]:
    return lambda: f"{prefix}-{secrets.token_hex(4)}"


def _words(vocabulary: type[StrEnum]) -> list[str]:
    return [str(word) for word in vocabulary]


class Base(DeclarativeBase):
    """The root of every table."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain class attribute
        int: BigInteger,
        str: Text,
        dict[str, Any]: JSON,
        list[str]: JSON,
        StrEnum: Enum(StrEnum, native_enum=False, length=40, values_callable=_words),
    }

    created_s: Mapped[int] = mapped_column(default=_now_s, sort_order=90)
    updated_s: Mapped[int] = mapped_column(default=_now_s, onupdate=_now_s, sort_order=91)


class Project(Base):
    """A tenant; the role in a node's token names its UUID."""

    __tablename__ = "project"

    uuid: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)


class Host(Base):
    """A machine; `uuid` is the GUID that its node reports with."""

    __tablename__ = "host"
    __table_args__ = (UniqueConstraint("project_uuid", "uuid"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("host"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str]
    uuid: Mapped[str] = mapped_column(String(36))
    state: Mapped[HostState] = mapped_column(default=HostState.ONBOARDED)
    note: Mapped[str] = mapped_column(default="")
    tokens_valid_from_s: Mapped[int] = mapped_column(default=0)
    last_seen_s: Mapped[int | None]
    instance: Mapped[Instance | None] = relationship(back_populates="host", lazy="joined")


class OSResource(Base):
    """One image: an OS profile and an image id, made from the release service's manifest."""

    __tablename__ = "os_resource"
    __table_args__ = (UniqueConstraint("project_uuid", "profile_name", "image_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("os"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str]
    profile_name: Mapped[str] = mapped_column(String(128))
    profile_version: Mapped[str] = mapped_column(default="")
    image_id: Mapped[str] = mapped_column(String(128))
    image_url: Mapped[str]
    file_hash: Mapped[str] = mapped_column(String(64))
    os_type: Mapped[str]
    os_provider: Mapped[str]
    security_feature: Mapped[str]
    architecture: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    platform_bundle: Mapped[dict[str, Any]] = mapped_column(default=dict)
    installed_packages_url: Mapped[str] = mapped_column(default="")
    existing_cves_url: Mapped[str] = mapped_column(default="")
    fixed_cves_url: Mapped[str] = mapped_column(default="")
    tls_ca_cert: Mapped[str] = mapped_column(default="")
    withdrawn_reason: Mapped[str | None]


class Policy(Base):
    """An OS update policy: what the instances that it is linked to should run."""

    __tablename__ = "os_update_policy"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("osupdatepolicy"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[PolicyKind]
    target_os_id: Mapped[str | None] = mapped_column(ForeignKey("os_resource.id"))
    update_packages: Mapped[str] = mapped_column(default="")
    update_sources: Mapped[list[str]] = mapped_column(default=list)
    update_kernel_command: Mapped[str] = mapped_column(default="")
    target_os: Mapped[OSResource | None] = relationship(lazy="joined")


class Instance(Base):
    """The OS on a host, and the last that its node has said about updates.

    `released_hash` is the file hash of an image that an operator wants tried again after it failed.
    """

    __tablename__ = "instance"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("inst"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    host_id: Mapped[str] = mapped_column(ForeignKey("host.id"), unique=True)
    name: Mapped[str]
    state: Mapped[InstanceState] = mapped_column(default=InstanceState.UNSPECIFIED)
    profile_name: Mapped[str] = mapped_column(String(128))
    image_id: Mapped[str] = mapped_column(default="")
    os_id: Mapped[str | None] = mapped_column(ForeignKey("os_resource.id"))
    policy_id: Mapped[str | None] = mapped_column(ForeignKey("os_update_policy.id"))
    detail: Mapped[str] = mapped_column(default="")
    update_status: Mapped[str] = mapped_column(default="")
    update_status_indicator: Mapped[Indication] = mapped_column(default=Indication.UNSPECIFIED)
    update_status_detail: Mapped[str] = mapped_column(default="")
    update_status_s: Mapped[int] = mapped_column(default=0)
    update_progress_percent: Mapped[int | None]
    released_hash: Mapped[str] = mapped_column(String(64), default="")
    host: Mapped[Host] = relationship(back_populates="instance")
    os: Mapped[OSResource | None] = relationship(lazy="joined")
    policy: Mapped[Policy | None] = relationship(lazy="joined")


class SingleSchedule(Base):
    """One maintenance window on a host; `end_s` 0 means open-ended."""

    __tablename__ = "single_schedule"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("singlesche"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    host_id: Mapped[str] = mapped_column(ForeignKey("host.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    schedule_status: Mapped[ScheduleStatus]
    start_s: Mapped[int]
    end_s: Mapped[int] = mapped_column(default=0)
    host: Mapped[Host] = relationship(lazy="joined")


class RepeatedSchedule(Base):
    """Maintenance windows on a host that open by cron fields, in UTC."""

    __tablename__ = "repeated_schedule"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("repeatedsche"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    host_id: Mapped[str] = mapped_column(ForeignKey("host.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    schedule_status: Mapped[ScheduleStatus]
    duration_s: Mapped[int]
    cron_minutes: Mapped[str]
    cron_hours: Mapped[str]
    cron_day_month: Mapped[str]
    cron_month: Mapped[str]
    cron_day_week: Mapped[str]
    host: Mapped[Host] = relationship(lazy="joined")


class UpdateRun(Base):
    """One try to bring one host to one image, the `number`th of its instance.

    `end_s` is `OPEN_END_S` while it goes on; `cause` tells one failure from the next.
    """

    __tablename__ = "os_update_run"
    __table_args__ = (UniqueConstraint("instance_id", "number"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=_new_id("osupdaterun"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    number: Mapped[int]
    policy_id: Mapped[str | None] = mapped_column(ForeignKey("os_update_policy.id"))
    name: Mapped[str]
    description: Mapped[str]
    status: Mapped[str]
    status_indicator: Mapped[Indication]
    status_details: Mapped[str] = mapped_column(default="")
    cause: Mapped[str] = mapped_column(default="")
    status_s: Mapped[int]
    start_s: Mapped[int]
    end_s: Mapped[int] = mapped_column(default=OPEN_END_S)
    instance: Mapped[Instance] = relationship(lazy="joined")
    policy: Mapped[Policy | None] = relationship(lazy="joined")
