# SPDX-License-Identifier: Apache-2.0
"""Rest: how long a run may be left alone, so that a node with nothing to do wakes seldom.

Rules:

1. A run that is on its way, and one that may be armed in a window that is open, is looked after
   every second.
2. Any other rests until its next moment: the download time, the end of a pause, the opening of the
   next window. Without one it rests until something happens.
3. A moment that has passed is not waited for: what could be done at it was done or refused then,
   and is looked after every few seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from puad.core.run import Run, State
from puad.core.windows import next_window

AT_WORK: Final = timedelta(seconds=1)
_OVERDUE: Final = timedelta(seconds=5)
_BUSY: Final = frozenset({State.DOWNLOADING, State.ARMED, State.ASSESSING})


def rest(run: Run, now: datetime) -> timedelta | None:
    """How long nothing is due; None when no moment is known at which something will be."""
    if run.state in _BUSY:
        return AT_WORK
    if run.state is State.STAGED:
        return _until_the_window(run, now)
    moments = [at for at in (run.download_at and run.download_at.at, run.retry_at) if at]
    return min((_until(at, now) for at in moments), default=None)


def _until_the_window(run: Run, now: datetime) -> timedelta | None:
    if run.goal is not None and run.goal.by_operator:
        return AT_WORK
    window = next_window(run.plan.schedules, now)
    if window is None:
        return None
    return max(window.start - now, AT_WORK)


def _until(at: datetime, now: datetime) -> timedelta:
    return max(at - now, AT_WORK) if at > now else _OVERDUE
