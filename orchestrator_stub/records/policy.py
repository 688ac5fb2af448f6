# SPDX-License-Identifier: Apache-2.0
"""OS update policies: what the instances that they are linked to should run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id
from orchestrator_stub.records.os_resource import OSResource
from orchestrator_stub.vocabulary import PolicyKind


class Policy(Base):
    """An OS update policy; it is never changed, only made and deleted (protocol.md §5).

    `rollout` holds the rules of its waves, as `orchestrator_stub.rollouts.rules` reads them; empty
    when every instance is updated as soon as its window allows.
    """

    __tablename__ = "os_update_policy"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("osupdatepolicy"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[PolicyKind]
    target_os_id: Mapped[str | None] = mapped_column(ForeignKey("os_resource.id"), index=True)
    update_packages: Mapped[str] = mapped_column(default="")
    update_sources: Mapped[list[str]] = mapped_column(default=list)
    update_kernel_command: Mapped[str] = mapped_column(default="")
    rollout: Mapped[dict[str, Any]] = mapped_column(default=dict)
    target_os: Mapped[OSResource | None] = relationship(lazy="joined")
