# SPDX-License-Identifier: Apache-2.0
"""A token bucket: how long to wait so that an even rate is kept over any time.

Pure arithmetic; the times are the caller's. Who has taken tokens may go on when none are owed:

1. Between two moments no more is taken than the rate allows in between, one burst, and the last
   taking, which may be larger than what is there.
2. Waiting too long is made up for, up to one burst, so that a caller that is always there gets the
   whole rate.
"""

from __future__ import annotations

from typing import Final

_SHORTEST_S: Final = 1e-6  # no clock counts less; what is owed stays owed


class TokenBucket:
    """Tokens that come at an even rate, up to one burst of them.

    Args:
        rate_s: Tokens a second, more than 0.
        burst: How many are kept while nobody takes any; so many are there at first.
        now_s: The time, from any beginning.
    """

    def __init__(self, rate_s: float, burst: float, now_s: float) -> None:
        self._rate_s = rate_s
        self._burst = burst
        self._at_s = now_s
        self._tokens = burst

    def take(self, tokens: float, now_s: float) -> None:
        """Take tokens, those that are there and those that must still come."""
        self._fill(now_s)
        self._tokens -= tokens

    def wait_s(self, now_s: float) -> float:
        """How long it takes until no tokens are owed; 0 when none are."""
        self._fill(now_s)
        owed_s = -self._tokens / self._rate_s
        return owed_s if owed_s > _SHORTEST_S else 0.0

    def _fill(self, now_s: float) -> None:
        passed_s = max(0.0, now_s - self._at_s)
        self._at_s += passed_s
        self._tokens = min(self._burst, self._tokens + passed_s * self._rate_s)
