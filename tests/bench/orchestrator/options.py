# SPDX-License-Identifier: Apache-2.0
"""What a benchmark is run with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How many, how fast, for how long.

    Attributes:
        hosts: Hosts that are enrolled.
        rate: Polls a second.
        seconds: How long they go on.
        repeat: How often the page is fetched, and how often a server is restarted.
        updates: Updates at once.
        share: On which share of the nodes the bad image is bad, 0..1.
        patience_s: How long any trial of the simulator may take.
    """

    hosts: int
    rate: float
    seconds: float
    repeat: int
    updates: int
    share: float
    patience_s: float

    def dump(self) -> dict[str, Any]:
        """The conditions, for the JSON."""
        return asdict(self)
