# SPDX-License-Identifier: Apache-2.0
"""Whether this process can still open something.

GLib ends the process when it cannot have the descriptor that waiting for an answer takes, and with
the process all seals are gone. Who is about to wait asks first.
"""

from __future__ import annotations

import os
from typing import Final

_SPARE: Final = 32  # more than the messages that come meanwhile may carry


def has_spare_descriptors() -> bool:
    """Whether a handful of descriptors is left."""
    held = []
    try:
        for _ in range(_SPARE):
            held.append(os.eventfd(0, os.EFD_CLOEXEC))  # noqa: PERF401 -- what is held is closed
    except OSError:
        return False
    finally:
        for fd in held:
            os.close(fd)
    return True
