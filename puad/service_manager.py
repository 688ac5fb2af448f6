# SPDX-License-Identifier: Apache-2.0
"""The service manager: what puad tells systemd of itself while it runs."""

from __future__ import annotations

import logging
from typing import Final

import systemd.daemon

_MAX_STATUS: Final = 4096

_log = logging.getLogger(__name__)


def notify(
    *, ready: bool = False, status: str = "", watchdog: bool = False, stopping: bool = False
) -> bool:
    """Tell the service manager how this service is (sd_notify(3)).

    Args:
        ready: It has started and serves.
        status: What it is doing, in one line.
        watchdog: It is alive.
        stopping: It has begun to stop.

    Returns:
        Whether there was a service manager to tell.
    """
    words = {
        "READY=1": ready,
        f"STATUS={' '.join(status.split())[:_MAX_STATUS]}": bool(status),
        "WATCHDOG=1": watchdog,
        "STOPPING=1": stopping,
    }
    try:
        return bool(systemd.daemon.notify("\n".join(word for word, said in words.items() if said)))
    except OSError as error:
        _log.warning("the service manager does not take messages: %s", error.strerror)
        return False
