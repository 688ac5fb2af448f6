# SPDX-License-Identifier: Apache-2.0
"""The poller: when the orchestrator is asked, and who waits for its answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from puad.client.backoff import Backoff
from puad.config import Settings
from puad.core.errors import ServerError
from puad.effects.maintenance import Contact
from puad.service import Reply

_LEAST_BACKOFF_S: Final = 60.0
_FOREVER_S: Final = 86_400.0


class Poller:
    """Asks every so often, less often while the orchestrator fails, and never when it said not to.

    Args:
        settings: How often, and the bounds of a pause.
        ask: Has it asked, in a worker.
    """

    def __init__(self, settings: Settings, ask: Callable[[], None]) -> None:
        self._server = settings.server
        self._most_quiet_s = settings.limits.retry_after_most_s
        self._backoff = Backoff(
            settings.limits.backoff_first_s, max(self._server.poll_interval_s, _LEAST_BACKOFF_S)
        )
        self._ask = ask
        self._at = 0.0
        self._quiet_until = 0.0
        self._waiting: list[Reply] = []

    @property
    def is_quiet(self) -> bool:
        """Whether the orchestrator asked to be left alone until later (Retry-After)."""
        return time.monotonic() < self._quiet_until

    def rest_s(self, now: float) -> float:
        """How long it is until the orchestrator is to be asked."""
        return self._at - now if self._server.url else _FOREVER_S

    def tick(self) -> None:
        """Ask when it is time."""
        now = time.monotonic()
        if now >= self._at and self._server.url:
            self._at = now + self._server.timeout_s + 1.0  # the answer sets the next time
            self._ask()

    def check(self, reply: Reply) -> None:
        """Somebody wants to know now; the answer goes there as well."""
        self._waiting.append(reply)
        self._ask()

    def answered(self, contact: Contact, document: Callable[[], str]) -> None:
        """A call has ended.

        Args:
            contact: How it went.
            document: Makes the status document for whoever waits.
        """
        now = time.monotonic()
        pause: float = self._server.poll_interval_s
        error = contact.error
        if error is not None:
            pause = max(pause, self._backoff.wait_s(contact.failures, random.random))
        if isinstance(error, ServerError) and error.retry_after_s is not None:
            self._quiet_until = now + min(error.retry_after_s, self._most_quiet_s)
        self._at = max(now + pause, self._quiet_until)
        waiting, self._waiting = self._waiting, []
        for reply in waiting:
            if error is None:
                reply.done(document())
            else:
                reply.failed(error)
