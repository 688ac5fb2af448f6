# SPDX-License-Identifier: Apache-2.0
"""What a simulated node keeps over its boots, in place of the persistent partition."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from puad.core.past_run import PastRun, past_run
from puad.core.run import Run
from puad.core.snapshot import dump_run, load_run


@dataclass(slots=True)
class Memory:
    """The stored run and the history; and, for whoever watches, what the node has tried.

    Attributes:
        history: Its past runs, oldest first.
        begun: Image ids whose installation it has begun.
        booted: Image ids that it has booted.
    """

    history: list[PastRun] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    booted: set[str] = field(default_factory=set)
    _stored: dict[str, Any] | None = None

    def load(self) -> tuple[Run, bool]:
        """The stored run, and whether there is none."""
        if self._stored is None:
            return Run(), True
        return load_run(self._stored), False

    def keep(self, run: Run) -> None:
        """Persist the run."""
        self._stored = dump_run(run)

    def remember(self, run: Run, now: datetime) -> None:
        """Put an ended run into the history, once."""
        past = past_run(run, now)
        if past is not None and all(known.run_id != past.run_id for known in self.history):
            self.history.append(past)
