# SPDX-License-Identifier: Apache-2.0
"""When a simulated node polls, by the rules of `puad.daemon.poller`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from puad.client.backoff import Backoff, spread_s

_FIRST_S: Final = 1.0
_LEAST_S: Final = 60.0


@dataclass(slots=True)
class PollTimes:
    """The time of the next poll, on a clock that never goes back.

    Attributes:
        poll_s: Time between two polls.
        at_s: When the next one is due.
    """

    poll_s: float
    at_s: float = 0.0
    _backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self._backoff = Backoff(_FIRST_S, max(self.poll_s, _LEAST_S))

    def answered(self, now_s: float) -> None:
        """The orchestrator has answered."""
        self.at_s = now_s + self.poll_s

    def failed(
        self, now_s: float, failures: int, retry_after_s: float, chance: Callable[[], float]
    ) -> None:
        """It has not: the next poll comes later and later, and not before it allows it."""
        backoff_s = self._backoff.wait_s(failures, chance)
        pause_s = max(spread_s(self.poll_s, chance), backoff_s)
        self.at_s = now_s + max(pause_s, retry_after_s)
