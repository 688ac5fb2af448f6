# SPDX-License-Identifier: Apache-2.0
"""Options: what a run of the benchmark was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured.

    Attributes:
        rounds: Turns of each contender.
        contenders: Only these, by the beginning of their names; empty for all.
        sizes_mib: Images whose installs are held to the bound on memory.
        rate_mbit_s: The slow link.
        seconds: How long the foreground is watched at a time.
    """

    rounds: int
    contenders: tuple[str, ...]
    sizes_mib: tuple[int, ...]
    rate_mbit_s: float
    seconds: int

    def has(self, name: str) -> bool:
        """Whether a contender takes part."""
        return not self.contenders or name.startswith(self.contenders)

    def dump(self) -> dict[str, Any]:
        """The conditions of a figure."""
        return {"rounds": self.rounds, "rate_mbit_s": self.rate_mbit_s, "seconds": self.seconds}
