# SPDX-License-Identifier: Apache-2.0
"""Rollouts: how far one image has got among the instances of a policy with waves."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import Base, new_id
from orchestrator_stub.records.os_resource import OSResource
from orchestrator_stub.records.policy import Policy
from orchestrator_stub.vocabulary import MemberState, RolloutState


class Rollout(Base):
    """One image on its way through the waves of a policy.

    `wave` counts from 0; `wave_done_s` is when every member of it had come to its end, 0 before.
    `reason` says why it is paused or stopped.
    """

    __tablename__ = "rollout"
    __table_args__ = (UniqueConstraint("policy_id", "os_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("rollout"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"), index=True)
    policy_id: Mapped[str] = mapped_column(ForeignKey("os_update_policy.id"))
    os_id: Mapped[str] = mapped_column(ForeignKey("os_resource.id"))
    state: Mapped[RolloutState] = mapped_column(default=RolloutState.RUNNING)
    wave: Mapped[int] = mapped_column(default=0)
    wave_start_s: Mapped[int]
    wave_done_s: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(default="")
    end_s: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    policy: Mapped[Policy] = relationship(lazy="joined")
    os: Mapped[OSResource] = relationship(lazy="joined")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy reads it


class RolloutMember(Base):
    """One instance in a rollout: its wave, and how it fared.

    `accepted` is true of a failure that does not count: an operator has resumed the rollout in
    spite of it, or the image had failed there before the rollout began.
    """

    __tablename__ = "rollout_member"
    __table_args__ = (Index(None, "rollout_id", "wave", "state"),)

    rollout_id: Mapped[str] = mapped_column(ForeignKey("rollout.id"), primary_key=True)
    instance_id: Mapped[str] = mapped_column(
        ForeignKey("instance.id"), primary_key=True, index=True
    )
    wave: Mapped[int]
    state: Mapped[MemberState] = mapped_column(default=MemberState.WAITING)
    state_s: Mapped[int] = mapped_column(default=0)
    accepted: Mapped[bool] = mapped_column(default=False)
