# SPDX-License-Identifier: Apache-2.0
"""The poller: when the orchestrator is asked, and who waits for its answer.

The worker that asks paces itself by `rest_s`, `asks` and `heard`; the main loop has `wait` and
`answer`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from puad.client.backoff import Backoff, around_s
from puad.config import Settings
from puad.core.errors import ServerError
from puad.effects.maintenance import Contact
from puad.service import Reply

_LEAST_BACKOFF_S: Final = 60.0


class Poller:
    """Asks every so often, less often while the orchestrator fails, and never when it said not to.

    Args:
        settings: How often, and the bounds of a pause.
    """

    def __init__(self, settings: Settings) -> None:
        self._server = settings.server
        self._most_quiet_s = settings.limits.retry_after_most_s
        self._backoff = Backoff(
            settings.limits.backoff_first_s, max(self._server.poll_interval_s, _LEAST_BACKOFF_S)
        )
        self._at: float | None = None
        self._quiet_until = 0.0
        self._waiting: list[Reply] = []

    @property
    def is_quiet(self) -> bool:
        """Whether the orchestrator asked to be left alone until later (Retry-After)."""
        return time.monotonic() < self._quiet_until

    def rest_s(self) -> float | None:
        """Seconds until the next poll is due; None before the first and without a server."""
        return self._at - time.monotonic() if self._at is not None and self._server.url else None

    def asks(self) -> None:
        """The orchestrator is about to be asked: whatever comes of it, the next poll follows."""
        self._at = max(time.monotonic() + self._interval_s(), self._quiet_until)

    def heard(self, contact: Contact) -> None:
        """The orchestrator has answered, or has not: that sets when it is asked next.

        Args:
            contact: How the call went.
        """
        now, error = time.monotonic(), contact.error
        if error is None:
            self._at = max(now + self._interval_s(), self._quiet_until)
            return
        if isinstance(error, ServerError) and error.retry_after_s is not None:
            self._quiet_until = now + min(error.retry_after_s, self._most_quiet_s)
        self._at = now + self._backoff.pause_s(
            contact.failures,
            random.random,
            self._server.poll_interval_s,
            quiet_s=self._quiet_until - now,
        )

    def _interval_s(self) -> float:
        # a fleet that a restarted server has answered at once is not to come at once for ever
        return around_s(self._server.poll_interval_s, random.random)

    def wait(self, reply: Reply) -> None:
        """Somebody waits for the next answer."""
        self._waiting.append(reply)

    def answer(self, contact: Contact, document: Callable[[], str]) -> None:
        """Answer whoever waits.

        Args:
            contact: How the last call went.
            document: Makes the status document.
        """
        waiting, self._waiting = self._waiting, []
        for reply in waiting:
            if contact.error is None:
                reply.done(document())
            else:
                reply.failed(contact.error)
