# SPDX-License-Identifier: Apache-2.0
"""Retention: old update runs are deleted, but never an open one, and never an instance's last.

However often a node fails, only so many runs of an instance are kept: a new one pushes the oldest
out, so that no node can fill the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased, lazyload

from orchestrator_stub.database import Database
from orchestrator_stub.records import OPEN_END_S, Instance, UpdateRun

MAX_RUNS: Final = 500
MAX_DELETED: Final = 20_000
"""At one time; the next time deletes the others."""

_AT_ONCE: Final = 500
_MADE_ROOM: Final = 10


def make_room(session: Session, instance: Instance, number: int) -> None:
    """Delete what is too many when the `number`th run of an instance begins."""
    many = (UpdateRun.instance_id == instance.id) & (UpdateRun.number <= number - MAX_RUNS)
    oldest = select(UpdateRun).where(many, UpdateRun.end_s != OPEN_END_S)
    # record by record: whoever only reads gives up a changed session, but cannot run a DELETE
    for run in session.scalars(
        oldest.order_by(UpdateRun.number).limit(_MADE_ROOM).options(lazyload("*"))
    ):
        session.delete(run)


def tidy(database: Database, before_s: int) -> None:
    """Delete the runs that ended before a time."""
    with database.reading() as session:
        old = _old(session, before_s)
    for start in range(0, len(old), _AT_ONCE):
        database.write(partial(_delete, old[start : start + _AT_ONCE]))


def _old(session: Session, before_s: int) -> Sequence[str]:
    later = aliased(UpdateRun)
    has_later = exists().where(
        later.instance_id == UpdateRun.instance_id, later.number > UpdateRun.number
    )
    wanted = select(UpdateRun.id).where(UpdateRun.end_s < before_s, has_later)
    return session.scalars(wanted.order_by(UpdateRun.end_s).limit(MAX_DELETED)).all()


def _delete(run_ids: Sequence[str], session: Session) -> None:
    # one that was opened again meanwhile stays
    session.execute(
        delete(UpdateRun)
        .where(UpdateRun.id.in_(run_ids), UpdateRun.end_s != OPEN_END_S)
        .execution_options(synchronize_session=False)
    )
