# SPDX-License-Identifier: Apache-2.0
"""When a simulated node polls, by the rules of `puad.daemon.poller`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from puad.client.backoff import Backoff, around_s

_FIRST_S: Final = 1.0
_LEAST_S: Final = 60.0


@dataclass(slots=True)
class PollTimes:
    """The time of the next poll, on a clock that never goes back.

    Attributes:
        poll_s: Time between two polls.
        chance: Gives numbers in [0, 1).
        at_s: When the next one is due.
    """

    poll_s: float
    chance: Callable[[], float]
    at_s: float = 0.0
    _backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self._backoff = Backoff(_FIRST_S, max(self.poll_s, _LEAST_S))

    def answered(self, now_s: float) -> None:
        """The orchestrator has answered."""
        self.at_s = now_s + around_s(self.poll_s, self.chance)

    def failed(self, now_s: float, failures: int, retry_after_s: float) -> None:
        """It has not: the next poll comes later and later, and not before it allows it."""
        self.at_s = now_s + self._backoff.pause_s(
            failures, self.chance, self.poll_s, quiet_s=retry_after_s
        )
