# SPDX-License-Identifier: Apache-2.0
"""Probe `agent`: puad answers on D-Bus and does not restart."""

from __future__ import annotations

import time

from puad.health.agent_status import AGENT, agent_status
from puad.health.bus import Bus, open_bus
from puad.health.probe import Deadline, Probe, ProbeError


class Agent(Probe, name="agent"):
    """One and the same process answers for as long as health.agent_stable_s."""

    def run(self, deadline: Deadline) -> str:
        """Watch who owns the name; each restart begins the time anew."""
        stable_s = self.boot.settings.health.agent_stable_s
        with open_bus(deadline, self.boot.settings.limits.dbus_timeout_s) as bus:
            owners: list[str] = []
            while True:
                owner = deadline.until(lambda: _answering(bus))
                if owner not in owners[-1:]:
                    owners.append(owner)
                    since = time.monotonic()
                if time.monotonic() - since >= stable_s:
                    return f"puad has answered for {stable_s} s, after {len(owners) - 1} restarts"
                if not deadline.pause():
                    restarts = f"it restarted {len(owners) - 1} times"
                    raise ProbeError(f"puad did not stay up for {stable_s} s: {restarts}")


def _answering(bus: Bus) -> str:
    agent_status(bus)
    return bus.owner(AGENT)
