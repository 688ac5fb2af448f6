# SPDX-License-Identifier: Apache-2.0
"""A limit for work that may hang in the kernel: the main thread is interrupted, and says why.

Who reads a file may take the interruption for a file that cannot be read, and go on. So it is
repeated, and the work counts as late also when it comes to an end after that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_AGAIN_S: Final = 1.0


@contextmanager
def time_limit(limit_s: float) -> Iterator[None]:
    """Give the block so much time; for the main thread.

    Raises:
        TimeoutError: When it took longer; inside of the block or at its end.
    """
    is_late = False

    def ring(*_: object) -> None:
        nonlocal is_late
        is_late = True
        raise TimeoutError(what)

    what = f"it took longer than {limit_s:g} s"
    before = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
    if is_late:
        raise TimeoutError(what)
