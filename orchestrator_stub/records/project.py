# SPDX-License-Identifier: Apache-2.0
"""Projects: the tenants, each with its own hosts, images, policies and operators."""

from __future__ import annotations

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from orchestrator_stub.records.base import Base


class Project(Base):
    """A tenant; the role in a node's token names its UUID.

    `revision` rises with every change that may change what some node is answered
    (`orchestrator_stub.records.revision`).
    """

    __tablename__ = "project"

    uuid: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    revision: Mapped[int] = mapped_column(default=1)


def lock_project(session: Session, project_uuid: str) -> None:
    """Be the only one to change a project's tree or names until the session's change is committed.

    A rule over several records, such as "no cycle", holds only while nobody else changes another
    of them. SQLite has one writer at a time anyway.
    """
    session.execute(select(Project.uuid).where(Project.uuid == project_uuid).with_for_update())
