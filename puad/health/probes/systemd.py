# SPDX-License-Identifier: Apache-2.0
"""Probe `systemd`: the boot went through and no unit has failed.

The health process is itself part of the boot, so systemd says `starting` until it has ended, and
jobs that wait for its verdict wait on. Everything else is through when no job but its own is
*running*; then failed units are final.

What systemd makes for users who log in is not looked at: anybody can let his own session fail, and
it says nothing of the image.
"""

from __future__ import annotations

import os
import re
from typing import Final

from gi.repository import GLib

from puad.health.bus import Bus, open_bus
from puad.health.probe import Deadline, Probe, ProbeError

_SYSTEMD: Final = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
_MANAGER: Final = "org.freedesktop.systemd1.Manager"
_UNHEALTHY: Final = frozenset({"maintenance", "stopping", "offline", "unknown"})
_MAX_NAMED: Final = 8
_OF_USERS: Final = re.compile(
    r"(user|user-runtime-dir)@.+\.service|session-.+\.scope|user-.+\.slice|run-user-.+\.mount"
)


class Systemd(Probe, name="systemd"):
    """systemd's state, its jobs and its failed units."""

    def run(self, deadline: Deadline) -> str:
        """Wait until the rest of the boot is through, then look at what has failed."""
        with open_bus(deadline, self.boot.settings.limits.dbus_timeout_s) as bus:
            deadline.until(lambda: _expect_no_running_job(bus))
            state = _state(bus)
            failed = _failed_units(bus)
        if failed:
            raise ProbeError(f"units have failed: {_names(failed)}")
        if state in _UNHEALTHY:
            raise ProbeError(f"systemd is in state {state}")
        return f"systemd is in state {state}"


def _state(bus: Bus) -> str:
    arguments = GLib.Variant("(ss)", (_MANAGER, "SystemState"))
    (state,) = bus.call(_SYSTEMD, "org.freedesktop.DBus.Properties.Get", arguments, "(v)")
    return str(state)


def _failed_units(bus: Bus) -> list[str]:
    arguments = GLib.Variant("(as)", (["failed"],))
    member, answer = f"{_MANAGER}.ListUnitsFiltered", "(a(ssssssouso))"
    (units,) = bus.call(_SYSTEMD, member, arguments, answer)
    return [unit[0] for unit in units if not _OF_USERS.fullmatch(unit[0])]


def _expect_no_running_job(bus: Bus) -> None:
    own = _own_unit(bus)
    (jobs,) = bus.call(_SYSTEMD, f"{_MANAGER}.ListJobs", None, "(a(usssoo))")
    running = [
        unit
        for _, unit, _, state, _, path in jobs
        if state == "running" and path != own and not _OF_USERS.fullmatch(unit)
    ]
    if running:
        failed = _failed_units(bus)
        too = f"; units have failed: {_names(failed)}" if failed else ""
        raise ProbeError(f"the boot is not through, jobs are running: {_names(running)}{too}")


def _own_unit(bus: Bus) -> str:
    arguments = GLib.Variant("(u)", (os.getpid(),))
    try:
        (path,) = bus.call(_SYSTEMD, f"{_MANAGER}.GetUnitByPID", arguments, "(o)")
    except ProbeError:
        return ""  # started by hand
    return str(path)


def _names(names: list[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
