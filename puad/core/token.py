# SPDX-License-Identifier: Apache-2.0
"""What a node's token says of itself: when it ends.

The token is a JWT (protocol.md §1). The orchestrator verifies it; the node only reads its end, as
anybody may who holds it, and believes it for nothing but a warning to whoever renews tokens.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Final

WARNED_AHEAD: Final = timedelta(days=14)
_MOST_CHARS: Final = 16 << 10
_PARTS: Final = 3
_LAST_S: Final = 253_402_300_799  # the end of the year 9999
_DAY: Final = timedelta(days=1)


def expiry_of(token: str) -> datetime | None:
    """When a token ends, UTC; None when it does not say so."""
    parts = token.split(".")
    if len(token) > _MOST_CHARS or len(parts) != _PARTS:
        return None
    payload = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.b64decode(payload, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        return None
    end_s = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(end_s, bool) or not isinstance(end_s, int | float) or not 0 <= end_s <= _LAST_S:
        return None
    return datetime.fromtimestamp(int(end_s), UTC)


def expiry_warning(expires_at: datetime | None, now: datetime) -> str:
    """A sentence about a token that has ended or is about to; empty when there is time."""
    if expires_at is None or expires_at - now > WARNED_AHEAD:
        return ""
    at = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    left = expires_at - now
    if left <= timedelta():
        return f"The token has expired at {at}"
    days = left // _DAY
    when = f"in {days} day{'s' * (days > 1)}" if days else "in less than a day"
    return f"The token expires {when}, at {at}"
