# SPDX-License-Identifier: Apache-2.0
"""What an operator may set of the maintenance manager."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LEAST_SILENCE_S: Final = 120
"""Polls are 20 s apart, and that a node was seen is written down up to a minute later."""

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class MaintenanceSettings:
    """The maintenance manager's times.

    Attributes:
        silence_s: How long a node may be silent after STARTED before its run is given up.
        retention_s: How long update runs are kept; the last of an instance is kept for ever.
        sweep_period_s: How often runs and rollouts are looked at without a poll.
    """

    silence_s: int = field(default=3600, metadata={"least": LEAST_SILENCE_S})
    retention_s: int = 30 * _DAY_S
    sweep_period_s: int = 10
