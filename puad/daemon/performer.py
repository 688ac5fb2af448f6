# SPDX-License-Identifier: Apache-2.0
"""The performer: has actions performed, in the workers, unless somebody is to be left alone.

Until the facts are known no plan can be judged: boot control's first answer begins everything.
"""

from __future__ import annotations

from puad.config import Settings
from puad.core.actions import Action, Ask, Look
from puad.core.events import Answered, Event, Looked, NotAnswered, Started
from puad.core.run import Run
from puad.daemon.looks import Looks
from puad.daemon.parts import Parts, rules_of
from puad.daemon.poller import Poller


class Performer:
    """Performs actions and says what came of them.

    Args:
        settings: The configuration.
        parts: What reaches out of the process.
        poller: When the orchestrator is asked.
        looks: When boot control is asked.
        store_lost: The store could not be read, so the run has to be rebuilt from the facts.
    """

    def __init__(
        self, settings: Settings, parts: Parts, poller: Poller, looks: Looks, *, store_lost: bool
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._poller = poller
        self._looks = looks
        self._store_lost = store_lost
        self.started = False

    def ask_rest_s(self) -> float | None:
        """Seconds until the orchestrator is to be asked again; None for not by itself."""
        return self._poller.rest_s()

    def perform(self, action: Action, run: Run) -> Event | None:
        """Perform an action: the event that comes of it, None when there is none."""
        if isinstance(action, Look) and self._looks.is_quiet:
            return None
        asks = isinstance(action, Ask)
        event = self._ask(action, run) if asks else self._parts.effects.perform(action, run)
        if self.started:
            return event
        if isinstance(event, Looked):
            self._parts.learn_guid()
            rules = rules_of(self._settings)
            return Started(event.moment, event.facts, rules, store_lost=self._store_lost)
        return NotAnswered(event.moment) if isinstance(event, Answered) else event

    def _ask(self, action: Action, run: Run) -> Event | None:
        self._poller.asks()
        if self._poller.is_quiet or not self._parts.guid():
            return NotAnswered(self._parts.clock.moment())
        event = self._parts.effects.perform(action, run)
        self._poller.heard(self._parts.desk.contact)
        return event
