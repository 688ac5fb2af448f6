# SPDX-License-Identifier: Apache-2.0
"""Update runs: the history of each instance."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from orchestrator_stub.records.base import IMAGE_ID_CHARS, Base, new_id
from orchestrator_stub.records.host import Instance
from orchestrator_stub.records.policy import Policy
from orchestrator_stub.vocabulary import Indication

OPEN_END_S: Final = 9_999_999_999
"""The end time of an update run that is still going on (protocol.md §3a)."""


class UpdateRun(Base):
    """One try to bring one host to one image, the `number`th of its instance.

    `end_s` is `OPEN_END_S` while it goes on. `started_s` is when the node said STARTED, 0 before:
    from then on only the node ends the run, or its silence does. `failure` tells one failure from
    the next: image id and failure time, as the update log has them.
    """

    __tablename__ = "os_update_run"
    __table_args__ = (
        UniqueConstraint("instance_id", "number"),
        Index(None, "project_uuid", "start_s"),
        Index(None, "end_s"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_id("osupdaterun"))
    project_uuid: Mapped[str] = mapped_column(ForeignKey("project.uuid"))
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    number: Mapped[int]
    policy_id: Mapped[str | None] = mapped_column(ForeignKey("os_update_policy.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    image_id: Mapped[str] = mapped_column(String(IMAGE_ID_CHARS), default="")
    status: Mapped[str]
    status_indicator: Mapped[Indication]
    status_details: Mapped[str] = mapped_column(default="")
    failure: Mapped[str] = mapped_column(default="")
    status_s: Mapped[int]
    start_s: Mapped[int]
    started_s: Mapped[int] = mapped_column(default=0)
    end_s: Mapped[int] = mapped_column(default=OPEN_END_S)
    instance: Mapped[Instance] = relationship(lazy="joined")
    policy: Mapped[Policy | None] = relationship(lazy="joined")
