# SPDX-License-Identifier: Apache-2.0
"""How many random schedules each oracle gets: some each day, 100,000 by `make test-windows`."""

from __future__ import annotations

import os


def many(usual: int) -> int:
    """As many as `PUAD_SCHEDULES` says, else the usual number."""
    return int(os.environ.get("PUAD_SCHEDULES", usual))
