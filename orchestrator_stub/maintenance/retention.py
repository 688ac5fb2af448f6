# SPDX-License-Identifier: Apache-2.0
"""Retention: old update runs are deleted, but never an open one, and never an instance's last.

However often a node fails, only so many runs of an instance are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from orchestrator_stub.database import Database
from orchestrator_stub.records import OPEN_END_S, UpdateRun

MAX_RUNS: Final = 500
MAX_DELETED: Final = 20_000
"""At one time; the next time deletes the others."""

_AT_ONCE: Final = 500


def tidy(database: Database, before_s: int) -> None:
    """Delete the runs that ended before a time, and those that are too many."""
    with database.reading() as session:
        old = _old(session, before_s)
        crowded = _crowded(session)
    for start in range(0, len(old), _AT_ONCE):
        database.write(partial(_delete, UpdateRun.id.in_(old[start : start + _AT_ONCE])))
    for instance_id, number in crowded:
        many = (UpdateRun.instance_id == instance_id) & (UpdateRun.number <= number - MAX_RUNS)
        database.write(partial(_delete, many))


def _old(session: Session, before_s: int) -> Sequence[str]:
    later = aliased(UpdateRun)
    has_later = exists().where(
        later.instance_id == UpdateRun.instance_id, later.number > UpdateRun.number
    )
    wanted = select(UpdateRun.id).where(UpdateRun.end_s < before_s, has_later)
    return session.scalars(wanted.order_by(UpdateRun.end_s).limit(MAX_DELETED)).all()


def _crowded(session: Session) -> list[tuple[str, int]]:
    """Instances with too many runs, each with the number of its last."""
    counted = select(UpdateRun.instance_id, func.max(UpdateRun.number)).group_by(
        UpdateRun.instance_id
    )
    rows = session.execute(counted.having(func.count() > MAX_RUNS).limit(MAX_DELETED))
    return [(instance_id, number) for instance_id, number in rows]


def _delete(condition: ColumnElement[bool], session: Session) -> None:
    # one that was opened again meanwhile stays
    session.execute(
        delete(UpdateRun)
        .where(condition, UpdateRun.end_s != OPEN_END_S)
        .execution_options(synchronize_session=False)
    )
