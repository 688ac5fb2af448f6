# SPDX-License-Identifier: Apache-2.0
"""Patience: how often is tried, and how slow is too slow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from puad.config import Limits
from puad.core.errors import Code, DownloadError, OperatorError
from puad.download import patience as patience_module
from puad.download.patience import BrokenTransferError, MinimumRate, Patience
from tests.unit.download.still_clock import StillClock

QUICK: dict[str, Any] = {"backoff_first_s": 0.001, "backoff_most_s": 0.001, "download_attempts": 3}
BROKEN = BrokenTransferError("it broke")


def never() -> bool:
    return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StillClock:
    """The clock by which patience waits."""
    still = StillClock()
    monkeypatch.setattr(patience_module, "time", SimpleNamespace(monotonic=still.now_s))
    monkeypatch.setattr(patience_module, "rest", still.wait)
    return still


def test_patience_ends_with_the_last_error() -> None:
    patience = Patience(Limits(**QUICK))
    patience.wait_after(BrokenTransferError("first"), never)
    patience.wait_after(BrokenTransferError("second"), never)
    with pytest.raises(BrokenTransferError) as caught:
        patience.wait_after(BROKEN, never)
    assert caught.value is BROKEN


def test_patience_begins_anew_after_progress() -> None:
    patience = Patience(Limits(**QUICK))
    for _ in range(10):
        patience.wait_after(BROKEN, never)
        patience.received(1 << 14)


def test_patience_is_not_renewed_by_drops() -> None:
    patience = Patience(Limits(**QUICK))
    for _ in range(2):
        patience.wait_after(BROKEN, never)
        patience.received(100)
    with pytest.raises(BrokenTransferError):
        patience.wait_after(BROKEN, never)


def test_patience_wears_out_with_a_server_that_sends_a_little_now_and_then(
    clock: StillClock,
) -> None:
    patience = Patience(Limits())
    for _ in range(Limits().download_attempts - 1):
        patience.wait_after(BrokenTransferError("later", retry_after_s=3600), never)
        patience.received(1 << 20)
    with pytest.raises(BrokenTransferError):
        patience.wait_after(BROKEN, never)
    assert clock.now_s() <= 8 * 3600


def test_patience_begins_anew_once_the_lost_time_is_made_up(
    clock: StillClock,
) -> None:
    patience = Patience(Limits())
    for _ in range(100):
        patience.wait_after(BrokenTransferError("later", retry_after_s=3600), never)
        patience.received(3600 * 1024)
    assert clock.now_s() == 100 * 3600


def test_patience_when_cancelled_does_not_wait() -> None:
    patience = Patience(Limits(backoff_first_s=1000, backoff_most_s=1000))
    with pytest.raises(OperatorError) as caught:
        patience.wait_after(BROKEN, lambda: True)
    assert caught.value.code is Code.CANCELLED


def test_rate_above_the_minimum_goes_on_for_ever() -> None:
    rate = MinimumRate(Limits())
    for _ in range(1000):
        rate.count(1024 * 7, 7.0)


def test_rate_below_the_minimum_is_cut_after_one_window() -> None:
    rate = MinimumRate(Limits())
    rate.count(1 << 20, 30.0)
    rate.count(0, 30.0)  # the window's average is still high
    rate.count(1023 * 59, 59.0)
    with pytest.raises(DownloadError) as caught:
        rate.count(1023, 1.0)
    rate.count(0, 59.0)  # whoever asks again has a window of its own
    assert caught.value.code is Code.DOWNLOAD_UNREACHABLE
    assert not isinstance(caught.value, BrokenTransferError), "it is not tried again at once"


def test_rate_counts_what_an_answer_takes_to_begin() -> None:
    rate = MinimumRate(Limits())
    for _ in range(1000):
        rate.count_beginning(3.0)  # a satellite
        rate.count(1, 0.0)
    rate.count_beginning(59.0)
    rate.count(1000, 0.1)
    with pytest.raises(DownloadError):
        rate.count_beginning(59.0)
