# SPDX-License-Identifier: Apache-2.0
"""The download time, against the Downloader rule of protocol.md §2."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.download_time import download_time
from puad.core.model import Window

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
OPENING = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window(OPENING, OPENING + HOUR)
ALMOST_ONE = 1 - 2**-53


def planned(now: datetime, spread: float) -> datetime:
    return download_time(
        WINDOW, now, spread=spread, download_window=6 * HOUR, immediate=10 * MINUTE
    )


@pytest.mark.parametrize(
    ("before_opening", "spread", "download_before"),
    [
        # long before: anywhere in the six hours that end ten minutes before the opening
        (48 * HOUR, 0.0, 6 * HOUR + 10 * MINUTE),
        (48 * HOUR, 0.5, 3 * HOUR + 10 * MINUTE),
        (6 * HOUR + 10 * MINUTE, 0.0, 6 * HOUR + 10 * MINUTE),
        # inside: anywhere in what is left of them
        (2 * HOUR + 10 * MINUTE, 0.0, 2 * HOUR + 10 * MINUTE),
        (2 * HOUR + 10 * MINUTE, 0.25, HOUR + 40 * MINUTE),
        (11 * MINUTE, 0.5, 10 * MINUTE + MINUTE / 2),
        # too late, or open: now
        (10 * MINUTE, 0.9, 10 * MINUTE),
        (MINUTE, 0.9, MINUTE),
        (0 * MINUTE, 0.9, 0 * MINUTE),
        (-30 * MINUTE, 0.9, -30 * MINUTE),
    ],
)
def test_download_time_by_what_is_left_of_the_download_window(
    before_opening: timedelta, spread: float, download_before: timedelta
) -> None:
    assert planned(OPENING - before_opening, spread) == OPENING - download_before


def test_download_time_without_a_download_window_is_the_last_moment() -> None:
    now = OPENING - 5 * HOUR
    at = download_time(WINDOW, now, spread=0.3, download_window=0 * HOUR, immediate=10 * MINUTE)
    assert at == OPENING - 10 * MINUTE


@given(
    st.integers(-(10**9), 10**6),
    st.floats(0, ALMOST_ONE),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
)
def test_download_time_any_values_is_in_the_allowed_range(
    now_s: int, spread: float, download_s: int, immediate_s: int
) -> None:
    now = OPENING + timedelta(seconds=now_s)
    download_window, immediate = timedelta(seconds=download_s), timedelta(seconds=immediate_s)
    at = download_time(
        WINDOW, now, spread=spread, download_window=download_window, immediate=immediate
    )
    latest = OPENING - immediate
    assert max(now, latest - download_window) <= at <= max(now, latest)


@given(st.integers(0, 10**6), st.floats(0, ALMOST_ONE), st.floats(0, ALMOST_ONE))
def test_download_time_greater_spread_is_not_earlier(now_s: int, a: float, b: float) -> None:
    now = OPENING - timedelta(seconds=now_s)
    low, high = sorted((a, b))
    assert planned(now, low) <= planned(now, high)
