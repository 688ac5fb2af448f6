# SPDX-License-Identifier: Apache-2.0
"""A schedule that is meant but not saved, and how it becomes records. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import RepeatedSchedule, SingleSchedule
from orchestrator_stub.vocabulary import ScheduleStatus
from orchestrator_stub.web.upcoming import CRON_FIELDS, AnySchedule
from puad.core import model

_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Draft:
    """A schedule that is meant but not saved.

    Attributes:
        zone: The zone of the form.
        asked: When its windows should open by the wall clock; None when that was said in UTC.
        single: Start and end in Unix seconds, 0 for open-ended; None when it repeats.
        repeated: What says the same in UTC; more than one where days lie across months.
    """

    name: str
    status: ScheduleStatus
    zone: ZoneInfo
    asked: time | None = None
    single: tuple[int, int] | None = None
    repeated: tuple[model.RepeatedSchedule, ...] = ()

    def rows(self) -> list[AnySchedule]:
        """The draft as records that no database has yet."""
        if self.single is not None:
            rows: list[AnySchedule] = [SingleSchedule()]
        else:
            rows = [RepeatedSchedule() for _ in self.repeated]
        self.write(rows)
        return rows

    def write(self, rows: Sequence[AnySchedule]) -> None:
        """Put the draft into records of its kind, as many as it needs."""
        for row, part in zip(rows, self.repeated or [None], strict=True):
            row.name, row.schedule_status = self.name, self.status
            if isinstance(row, SingleSchedule) and self.single is not None:
                row.start_s, row.end_s = self.single
            elif isinstance(row, RepeatedSchedule) and part is not None:
                row.duration_s = part.duration_s
                for name in CRON_FIELDS:
                    setattr(row, name, getattr(part, name))
            else:
                raise _refused("Schedule Type: make another schedule to change it")

    @property
    def length_s(self) -> int | None:
        """How long a window is open; None when it has no end."""
        if self.single is None:
            return self.repeated[0].duration_s
        start_s, end_s = self.single
        return end_s - start_s if end_s else None


def settled(draft: Draft, known: AnySchedule | None, now_s: int) -> Draft:
    """The draft with the seconds of a known schedule, which a form of minutes does not have.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when its start lies in the past and is not the one
            that the schedule has already.
    """
    if isinstance(known, RepeatedSchedule) and draft.repeated:
        length_s = draft.repeated[0].duration_s
        if length_s == -(-known.duration_s // _MINUTE_S) * _MINUTE_S:
            parts = (replace(part, duration_s=known.duration_s) for part in draft.repeated)
            return replace(draft, repeated=tuple(parts))
    if draft.single is None:
        return draft
    start_s, end_s = draft.single
    if isinstance(known, SingleSchedule):
        start_s = _same_minute(known.start_s, start_s)
        end_s = _same_minute(known.end_s, end_s)
    if start_s <= now_s and not (isinstance(known, SingleSchedule) and start_s == known.start_s):
        raise _refused("Start: it lies in the past")
    return replace(draft, single=(start_s, end_s))


def _same_minute(known_s: int, said_s: int) -> int:
    return known_s if known_s - known_s % _MINUTE_S == said_s else said_s


def _refused(rule: str) -> OrchestratorError:
    return OrchestratorError(Code.INVALID_ARGUMENT, rule)
