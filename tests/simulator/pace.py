# SPDX-License-Identifier: Apache-2.0
"""The pace of simulated nodes: how often they poll, how long their work takes, what goes wrong.

Every duration is a range, in seconds, that a node draws from anew each time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from puad.core.run import Rules

Range = tuple[float, float]

RULES: Final = Rules(
    tries=2,
    download_window=timedelta(0),
    immediate=timedelta(0),
    min_window_left=timedelta(seconds=1),
    retry_first=timedelta(seconds=1),
    retry_most=timedelta(hours=1),
    attempts=8,
)
"""An image is fetched as soon as it is offered, and any window will do."""


@dataclass(frozen=True, slots=True)
class Mishaps:
    """Shares, 0..1, of the downloads on which something goes wrong.

    Attributes:
        lost: The release service cannot be reached; it is tried again.
        power_cuts: The power is cut in the middle.
    """

    lost: float = 0.0
    power_cuts: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The durations of a node's life.

    Attributes:
        poll_s: Time between two polls.
        first_poll_within_s: Nodes that are switched on together poll spread over so long.
        timeout_s: The longest wait for one answer.
        download_s: From the first byte to the last.
        seal_s: The second reading of the slot.
        shutdown_s: From the word to reboot to the end of the boot.
        boot_s: One boot, whatever comes of it.
        assess_s: Until the health process has its verdict.
    """

    poll_s: float = 20.0
    first_poll_within_s: float = 20.0
    timeout_s: float = 30.0
    download_s: Range = (5.0, 60.0)
    seal_s: Range = (0.5, 2.0)
    shutdown_s: Range = (0.5, 2.0)
    boot_s: Range = (2.0, 10.0)
    assess_s: Range = (1.0, 5.0)
    mishaps: Mishaps = field(default_factory=Mishaps)


QUICK: Final = Pace(
    poll_s=1.0,
    first_poll_within_s=1.0,
    download_s=(0.5, 2.0),
    seal_s=(0.0, 0.2),
    shutdown_s=(0.1, 0.3),
    boot_s=(0.1, 0.5),
    assess_s=(0.1, 0.3),
)
"""For tests: the same life, in seconds."""


def drawn(duration: Range, chance: random.Random) -> float:
    """One duration of a range, in seconds."""
    return chance.uniform(*duration)
