# SPDX-License-Identifier: Apache-2.0
"""Rest: how long a run may be left alone, so that a node with nothing to do wakes seldom.

Rules:

1. A run that is on its way, and one that may be armed in a window that is open, is looked after
   every second.
2. Any other rests until its next moment: the download time, the end of a pause, the opening of the
   next window. Without one it rests until something happens.
3. A moment that has passed is not waited for. While time alone would have something done, and it
   was not done yet, the run is looked after every few seconds; what was refused at that moment
   waits for the event that allows it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from puad.core.events import Moment
from puad.core.rules.waiting import consider
from puad.core.run import Run, State
from puad.core.windows import next_window

AT_WORK: Final = timedelta(seconds=1)
_OVERDUE: Final = timedelta(seconds=5)
_BUSY: Final = frozenset({State.DOWNLOADING, State.ARMED, State.ASSESSING})


def rest(run: Run, moment: Moment) -> timedelta | None:
    """How long nothing is due; None when no moment is known at which something will be."""
    if run.state in _BUSY:
        return AT_WORK
    if run.state is State.STAGED:
        return _until_the_window(run, moment.now)
    return _until_the_download(run, moment)


def _until_the_window(run: Run, now: datetime) -> timedelta | None:
    if run.goal is not None and run.goal.by_operator:
        return AT_WORK
    window = next_window(run.plan.schedules, now)
    if window is None:
        return None
    return max(window.start - now, AT_WORK)


def _until_the_download(run: Run, moment: Moment) -> timedelta | None:
    after, _ = consider(run, moment)  # what `Ticked` would do now
    if after != run:
        return _OVERDUE
    planned = run.download_at.at if run.download_at else None
    waits = [at - moment.now for at in (planned, run.retry_at) if at and at > moment.now]
    return max(min(waits), AT_WORK) if waits else None
