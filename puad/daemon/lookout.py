# SPDX-License-Identifier: Apache-2.0
"""The lookout: tells the journal when the node's surroundings change, once for each change."""

from __future__ import annotations

from datetime import datetime

from puad.core.errors import WireError
from puad.core.events import Moment
from puad.core.run import Run
from puad.core.windows import open_window
from puad.effects.maintenance import Contact
from puad.journal import MessageId, lifecycle


class Lookout:
    """Remembers what was told last."""

    def __init__(self) -> None:
        self._server_lost = False
        self._clock_trusted = True
        self._window: datetime | None = None

    def server(self, contact: Contact) -> None:
        """The orchestrator has answered, or has not."""
        error = contact.error
        if error is not None and not self._server_lost:
            text = f"The orchestrator cannot be asked: {error}. {error.hint}"
            lifecycle(MessageId.SERVER_LOST, text, code=error.code.value)
        if error is None and self._server_lost:
            lifecycle(MessageId.SERVER_BACK, "The orchestrator answers again")
        self._server_lost = error is not None

    def time(self, run: Run, moment: Moment) -> None:
        """Time has passed: the clock and the maintenance window."""
        if self._clock_trusted and not moment.clock_trusted:
            text = (
                f"The clock says {moment.now:%Y-%m-%d %H:%M} UTC, but it is not synchronised or is "
                "below its floor: no maintenance window opens until it can be trusted"
            )
            lifecycle(MessageId.CLOCK_NOT_TRUSTED, text)
        self._clock_trusted = moment.clock_trusted
        try:
            window = open_window(run.plan.schedules, moment.now) if moment.clock_trusted else None
        except WireError:
            window = None
        opened = window.start if window else None
        if window is not None and opened != self._window:
            until = f"until {window.end:%Y-%m-%d %H:%M} UTC" if window.end else "without an end"
            goal = run.goal
            lifecycle(
                MessageId.WINDOW_OPENED,
                f"A maintenance window is open {until}",
                run_id=goal.run_id if goal else "",
                state=run.state.value,
            )
        self._window = opened
