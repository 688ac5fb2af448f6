# SPDX-License-Identifier: Apache-2.0
"""Start jobs: what a boot still waits for, by the names of systemd's units.

As root `systemctl` talks to systemd over its own socket, so no D-Bus daemon is needed.
"""

from __future__ import annotations

from typing import Final

from bootloader import command
from bootloader.errors import BootloaderError

SYSTEMCTL: Final = "/usr/bin/systemctl"
_ASK_S: Final = 10.0
_MOST: Final = 5
_FIELDS: Final = 4


def running_start_jobs(listed: str, but: str) -> tuple[str, ...]:
    """The units whose start is under way; those that only wait for them are left out.

    Args:
        listed: What `systemctl list-jobs` prints: job, unit, type, state (systemctl(1)).
        but: A unit that is left out.
    """
    units = []
    for line in listed.splitlines():
        fields = line.split()
        if len(fields) == _FIELDS and fields[2:] == ["start", "running"] and fields[1] != but:
            units.append(fields[1])
    return tuple(units)


def waits_for(but: str) -> str:
    """What the boot waits for, in words; empty when that is nothing or systemd does not say it."""
    options = ("list-jobs", "--no-legend", "--plain", "--full", "--no-pager")
    try:
        listed = command.run(SYSTEMCTL, *options, limit_s=_ASK_S)
    except BootloaderError:
        return ""
    units = running_start_jobs(listed, but)
    more = f" and {len(units) - _MOST} more" if len(units) > _MOST else ""
    return f"the boot waits for {', '.join(units[:_MOST])}{more}" if units else ""
