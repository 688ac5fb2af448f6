# SPDX-License-Identifier: Apache-2.0
"""The download time: when a node begins to fetch the image for a coming window.

Rules (protocol.md §2, Downloader), so that a fleet with one window does not fetch at one moment:

1. Normally a random moment of the download window, the 6 hours that end 10 minutes before the
   maintenance window opens.
2. When part of the download window has passed, a random moment of what is left of it.
3. When all of it has passed, or the maintenance window is open: now.

The caller draws the random number once for a window and an image and **stores the time** that
comes out. Asking again at every tick would move the time away again and again (rule 2).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from puad.core.model import Window


def download_time(
    window: Window,
    now: datetime,
    *,
    spread: float,
    download_window: timedelta,
    immediate: timedelta,
) -> datetime:
    """When to begin the download, never before `now`.

    Args:
        window: The maintenance window that the image is for.
        now: The present, UTC.
        spread: A random number of [0, 1).
        download_window: How long the downloads of a fleet are spread over.
        immediate: How long before the opening every download should have begun.
    """
    latest_in = window.start - now - immediate
    if latest_in <= timedelta(0):
        return now
    share = min(download_window, latest_in)
    return now + latest_in - share + share * spread
