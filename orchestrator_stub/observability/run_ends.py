# SPDX-License-Identifier: Apache-2.0
"""Update runs that end, noticed where they are written.

Whoever closes a run writes its record in a session of the database; so nobody has to tell, and none
can forget to. A run counts when its end is committed. One that the server has ended and a late
report corrects ends once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, sessionmaker

from orchestrator_stub.maintenance.status import UPDATE_STATUS
from orchestrator_stub.observability.metrics import RunEnd
from orchestrator_stub.records import OPEN_END_S, UpdateRun
from orchestrator_stub.vocabulary import Indication
from puad.core.wire import StatusType

_ENDED: Final = "puad_runs_ended"
_COMPLETED: Final = UPDATE_STATUS[StatusType.UPDATED].text


def watch(sessions: sessionmaker[Session], ended: Callable[[RunEnd], None]) -> None:
    """Tell of every run that ends in one of these sessions."""

    def look(session: Session, _context: Any, _instances: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        for row in (*session.new, *session.dirty):
            if isinstance(row, UpdateRun) and _ends(row):
                session.info.setdefault(_ENDED, []).append(_end(row))

    def tell(session: Session) -> None:
        for end in session.info.pop(_ENDED, ()):
            ended(end)

    def forget(session: Session) -> None:
        session.info.pop(_ENDED, None)

    event.listen(sessions, "before_flush", look)
    event.listen(sessions, "after_commit", tell)
    event.listen(sessions, "after_rollback", forget)


def _ends(run: UpdateRun) -> bool:
    return run.end_s != OPEN_END_S and inspect(run).attrs.end_s.history.has_changes()


def _end(run: UpdateRun) -> RunEnd:
    if run.status_indicator is Indication.ERROR:
        return RunEnd.FAILED
    return RunEnd.COMPLETED if run.status == _COMPLETED else RunEnd.CANCELLED
