# SPDX-License-Identifier: Apache-2.0
"""The node's clock, and whether it may be believed (design.md, Trust).

The *clock floor* is the latest of the image's build time, the last verified TUF timestamp and the
last persisted time. A clock below it is wrong for certain. Such a clock, or one that is not
synchronised, opens no window, and signed metadata are judged at the floor instead.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from puad.core.errors import StorageError
from puad.core.events import Moment
from puad.store import Store

NAME: Final = "clock"
_TIMESYNCD_SAYS_SO: Final = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 256


def synchronised() -> bool:
    """Whether the clock is synchronised, by the two signs that systemd-time-wait-sync knows.

    Either systemd-timesyncd has left its mark in /run, or the kernel says so (adjtimex(2): the
    state is not TIME_ERROR), as chrony and ntpd make it say.
    """
    if _TIMESYNCD_SAYS_SO.exists():
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: read only
    state: int = libc.adjtimex(timex)
    return state not in {-1, _TIME_ERROR}


def build_time(os_release: Path) -> datetime:
    """When the booted image was built: the time of its os-release; the epoch without one."""
    try:
        return datetime.fromtimestamp(os_release.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)


class Clock:
    """Time and chance for events, and the floor that time never sinks below.

    Args:
        store: Keeps the floor over restarts.
        built_at: Build time of the booted image, UTC.
        is_synchronised: Tells whether the clock is synchronised now.
    """

    def __init__(
        self, store: Store, built_at: datetime, is_synchronised: Callable[[], bool]
    ) -> None:
        self._store = store
        self._is_synchronised = is_synchronised
        self._random = random.SystemRandom()
        self.floor = max(built_at, self._stored_floor())

    def moment(self) -> Moment:
        """Now, for an event."""
        now = datetime.now(UTC)
        trusted = now >= self.floor and self._is_synchronised()
        return Moment(now, clock_trusted=trusted, spread=self._random.random())

    def reference_time(self) -> datetime:
        """The time at which signed metadata are judged: now, or the floor without a good clock."""
        moment = self.moment()
        return moment.now if moment.clock_trusted else self.floor

    def raise_floor(self, verified: datetime) -> None:
        """Take a time that a verified signature vouches for, or one that was trusted, as floor.

        Raises:
            StorageError: The floor could not be persisted.
        """
        if verified > self.floor:
            self.floor = verified
            self._store.write(NAME, {"schema": 1, "floor": verified.isoformat()})

    def _stored_floor(self) -> datetime:
        lowest = datetime.fromtimestamp(0, UTC)
        try:
            document = self._store.read(NAME) or {}
            floor = datetime.fromisoformat(str(document.get("floor")))
        except (StorageError, ValueError):
            return lowest
        return floor if floor.tzinfo else lowest
