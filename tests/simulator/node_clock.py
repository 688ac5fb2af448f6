# SPDX-License-Identifier: Apache-2.0
"""The clock of a simulated node: off by its own skew, a little unsteady, not trusted at once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from puad.core.events import Moment

_MOST_SKEW_S = 5.0
_MOST_JITTER_S = 0.05
_MOST_UNSYNCHRONISED_S = 1.0


@dataclass(frozen=True, slots=True)
class NodeClock:
    """How a node's clock differs from the true time.

    Attributes:
        skew_s: How far it is ahead.
        jitter_s: How far one reading is off the next, at most, either way.
        synchronised_after_s: Time after a boot before it is trusted.
    """

    skew_s: float = 0.0
    jitter_s: float = 0.0
    synchronised_after_s: float = 0.0

    @classmethod
    def drawn(cls, chance: random.Random) -> Self:
        """A clock as one of many nodes has it."""
        return cls(
            skew_s=chance.uniform(-_MOST_SKEW_S, _MOST_SKEW_S),
            jitter_s=chance.uniform(0, _MOST_JITTER_S),
            synchronised_after_s=chance.uniform(0, _MOST_UNSYNCHRONISED_S),
        )

    def moment(self, true_s: float, up_s: float, chance: random.Random) -> Moment:
        """What an event carries.

        Args:
            true_s: The true time, Unix seconds.
            up_s: How long the node is up.
            chance: Draws the jitter and the event's random number.
        """
        shown_s = true_s + self.skew_s + chance.uniform(-self.jitter_s, self.jitter_s)
        now = datetime.fromtimestamp(shown_s, UTC)
        return Moment(now, up_s >= self.synchronised_after_s, chance.random())
