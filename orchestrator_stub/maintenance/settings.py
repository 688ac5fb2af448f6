# SPDX-License-Identifier: Apache-2.0
"""What an operator may set of the maintenance manager."""

from __future__ import annotations

from dataclasses import dataclass

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class MaintenanceSettings:
    """The maintenance manager's times.

    Attributes:
        silence_s: How long a node may be silent after STARTED before its run is given up. What is
            seen of a node is written down with a delay, so less than two minutes would be unjust.
        retention_s: How long update runs are kept; the last of an instance is kept for ever.
        sweep_period_s: How often runs and rollouts are looked at without a poll.
    """

    silence_s: int = 3600
    retention_s: int = 30 * _DAY_S
    sweep_period_s: int = 10
