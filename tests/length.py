# SPDX-License-Identifier: Apache-2.0
"""How long a test takes, as its marker `minutes` says."""

from __future__ import annotations

import pytest


def minutes(item: pytest.Item, *, unmarked: int) -> int:
    """About how many minutes a test takes alone.

    Args:
        item: The test.
        unmarked: What one without the marker counts as.
    """
    marker = item.get_closest_marker("minutes")
    return int(marker.args[0]) if marker else unmarked
