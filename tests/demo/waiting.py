# SPDX-License-Identifier: Apache-2.0
"""Waiting: for a thing to become so, with a limit and with the reason when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_EVERY_S = 0.1


class NotSeenError(Exception):
    """What was waited for did not come."""


def wait_for(
    what: str, ask: Callable[[], _T | None], limit_s: float, every_s: float = _EVERY_S
) -> _T:
    """Ask until there is an answer: neither None, nor False, nor empty.

    Raises:
        NotSeenError: when that takes too long.
    """
    end = time.monotonic() + limit_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise NotSeenError(f"waited {limit_s:.0f} s for {what}")
        time.sleep(every_s)
