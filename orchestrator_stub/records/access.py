# SPDX-License-Identifier: Apache-2.0
"""Who may do what: operators, where they are members, their sessions, and API tokens.

No secret is kept: of a password its Argon2 hash, of a session or token its SHA-256.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id
from orchestrator_stub.records.project import Project
from orchestrator_stub.vocabulary import Scope


class Operator(Base):
    """A person who logs in."""

    __tablename__ = "operator"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("operator"))
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str]
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    memberships: Mapped[list[Membership]] = relationship(
        back_populates="operator", cascade="all, delete-orphan"
    )


class Membership(Base):
    """What an operator may do in one project."""

    __tablename__ = "membership"

    operator_id: Mapped[str] = mapped_column(ForeignKey("operator.id"), primary_key=True)
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"), primary_key=True)
    scope: Mapped[Scope]
    operator: Mapped[Operator] = relationship(back_populates="memberships")
    project: Mapped[Project] = relationship(lazy="joined")


class OperatorSession(Base):
    """A logged-in browser; `token_hash` is the SHA-256 of its cookie's value.

    It ends at `expires_s`, and earlier when it is not used; `project_uuid` is the project that its
    operator looks at.
    """

    __tablename__ = "operator_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator_id: Mapped[str] = mapped_column(ForeignKey("operator.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    used_s: Mapped[int]
    expires_s: Mapped[int] = mapped_column(index=True)
    project_uuid: Mapped[str | None] = mapped_column(ForeignKey("project.uuid"))
    operator: Mapped[Operator] = relationship(lazy="joined")


class ApiToken(Base):
    """What a program presents, for one project."""

    __tablename__ = "api_token"
    __table_args__ = (UniqueConstraint("project_uuid", "name"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("apitoken"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[Scope]
    expires_s: Mapped[int | None]
    project: Mapped[Project] = relationship(lazy="joined")
