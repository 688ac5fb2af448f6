# SPDX-License-Identifier: Apache-2.0
"""Probe `orchestrator`: puad's last report reached the orchestrator.

It is wanted and not required by default: an outage of the server must not roll back a fleet.
"""

from __future__ import annotations

from puad.health.agent_status import agent_status
from puad.health.bus import Bus, open_bus
from puad.health.probe import Deadline, Probe, ProbeError


class Orchestrator(Probe, name="orchestrator"):
    """What puad says about its last call."""

    def run(self, deadline: Deadline) -> str:
        """Wait for a call that succeeds."""
        if not self.boot.settings.server.url:
            return "no orchestrator is configured"
        with open_bus(deadline, self.boot.settings.limits.dbus_timeout_s) as bus:
            deadline.until(lambda: _expect_reachable(bus))
        return "the orchestrator has answered"


def _expect_reachable(bus: Bus) -> None:
    server = agent_status(bus).get("server")
    if not isinstance(server, dict) or server.get("reachable") is not True:
        raise ProbeError("puad has not reached the orchestrator")
