# SPDX-License-Identifier: Apache-2.0
"""The node's clock, and whether it may be believed (docs/architecture.md, Trust).

The *clock floor* is the latest of the booted image's build time, the build time of any image whose
signature was verified, and the last persisted time. A clock below it is wrong for certain. Such a
clock, or one that is not synchronised, opens no window, and signed metadata are judged at the floor
instead. The persisted time follows the node's own clock only up to the expiry of the last TUF
timestamp that was verified online (docs/adr/0009).
"""

from __future__ import annotations

import ctypes
import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from puad.core.errors import StorageError
from puad.core.events import Moment
from puad.store import Store

NAME: Final = "clock"
_LOG: Final = logging.getLogger(__name__)
_TIMESYNCD_SAYS_SO: Final = Path("/run/systemd/timesync/synchronized")
_TIMES: Final = ("floor", "vouched_until")
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
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
        self._lock = threading.Lock()
        stored = self._stored()
        self.floor = max(built_at, stored.get("floor", _LONG_AGO))
        self._vouched_until = stored.get("vouched_until", _LONG_AGO)

    def moment(self) -> Moment:
        """Now, for an event."""
        now = datetime.now(UTC)
        trusted = now >= self.floor and self._is_synchronised()
        return Moment(now, clock_trusted=trusted, spread=self._random.random())

    def floor_above_the_clock(self) -> datetime | None:
        """The floor, when the clock stands below it and so is certainly wrong."""
        return self.floor if datetime.now(UTC) < self.floor else None

    def reference_time(self) -> datetime:
        """The time at which signed metadata are judged: now, or the floor without a good clock."""
        moment = self.moment()
        return moment.now if moment.clock_trusted else self.floor

    def vouch(self, *, since: datetime, until: datetime | None = None) -> None:
        """Take in what verified signatures say of the time.

        Args:
            since: A time that has passed for certain: when a signed image was built.
            until: When the timestamp expires that was verified just now: the node's own clock is
                believed up to there.

        Raises:
            StorageError: The floor could not be persisted.
        """
        with self._lock:
            until = max(self._vouched_until, until or _LONG_AGO)
            self._keep(max(self.floor, since), until)

    def keep(self, now: datetime) -> None:
        """Take the node's own, trusted time as floor, but no later than signatures vouch for.

        Without that bound one wrong answer of a time server would stop every update for ever.

        Raises:
            StorageError: The floor could not be persisted.
        """
        with self._lock:
            self._keep(max(self.floor, min(now, self._vouched_until)), self._vouched_until)

    def _keep(self, floor: datetime, vouched_until: datetime) -> None:
        if (floor, vouched_until) == (self.floor, self._vouched_until):
            return
        self.floor, self._vouched_until = floor, vouched_until
        times = {"floor": floor.isoformat(), "vouched_until": vouched_until.isoformat()}
        self._store.write(NAME, {"schema": 1, **times})

    def _stored(self) -> dict[str, datetime]:
        try:
            document = self._store.read(NAME) or {}
        except StorageError as error:
            _LOG.warning("%s; the clock's floor is the build time of the image again", error)
            return {}
        return {key: at for key in _TIMES if (at := _read_time(document.get(key)))}


def _read_time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return None
    return at if at.tzinfo else None
