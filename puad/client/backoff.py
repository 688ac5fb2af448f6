# SPDX-License-Identifier: Apache-2.0
"""Backoff: how long to wait before asking a server again.

Exponential with full jitter: after an outage a whole fleet comes back spread over time, not in
waves. Pure: the random numbers are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """The bounds of a wait.

    Attributes:
        first_s: Upper bound of the first wait; it doubles with each failure.
        most_s: No wait is longer, whatever a server asks for.
    """

    first_s: float
    most_s: float

    def wait_s(
        self, failures: int, rng: Callable[[], float], retry_after_s: float | None = None
    ) -> float:
        """The wait after that many failures in a row.

        Args:
            failures: How many calls failed, 1 or more.
            rng: Gives a number in [0, 1), as `random.random` does.
            retry_after_s: What the server asked for: a lower bound, itself bounded by `most_s`.
        """
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        spread = min(self.most_s, self.first_s * 2.0**doublings) * rng()
        return max(spread, min(retry_after_s or 0.0, self.most_s))

    def pause_s(
        self, failures: int, rng: Callable[[], float], interval_s: float, quiet_s: float = 0.0
    ) -> float:
        """How long after a failed poll the next one comes: who failed together comes back apart.

        Args:
            failures: How many polls failed in a row, 1 or more.
            rng: Gives a number in [0, 1), as `random.random` does.
            interval_s: The time between polls that are answered; the pause is no shorter.
            quiet_s: How long the server asked to be left alone; nor is it shorter than this.
        """
        apart_s = interval_s * rng()
        return max(max(interval_s, quiet_s) + apart_s, self.wait_s(failures, rng))


def around_s(seconds: float, rng: Callable[[], float]) -> float:
    """A wait of about that, 9/10 to 11/10 of it, so that whoever came together drifts apart.

    Args:
        seconds: The wait in the middle.
        rng: Gives a number in [0, 1), as `random.random` does.
    """
    return seconds * (1.0 + (rng() - 0.5) / 5)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for; None when it is absent or unreadable.

    Args:
        value: The header: seconds, or an HTTP date.
        now: The time that a date counts from, UTC.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
