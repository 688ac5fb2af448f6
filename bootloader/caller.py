# SPDX-License-Identifier: Apache-2.0
"""Who calls a method, as far as that decides what may be done."""

from __future__ import annotations

from enum import Enum


class Caller(Enum):
    """The callers that there are.

    Root may do what a person at the node may do. The agent faces the network, and the health
    process runs programs of the integrator: neither may keep a good node rebooting, and the agent
    may not lead it below its version floor.
    """

    ROOT = "root"
    AGENT = "agent"
    HEALTH = "health"
