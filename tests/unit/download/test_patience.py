# SPDX-License-Identifier: Apache-2.0
"""Patience: how often is tried, and how slow is too slow."""

from __future__ import annotations

from typing import Any

import pytest

from puad.config import Limits
from puad.core.errors import Code, DownloadError, OperatorError
from puad.download.patience import BrokenTransferError, MinimumRate, Patience

QUICK: dict[str, Any] = {"backoff_first_s": 0.001, "backoff_most_s": 0.001, "download_attempts": 3}
BROKEN = BrokenTransferError("it broke")


def never() -> bool:
    return False


def test_patience_ends_with_the_last_error() -> None:
    patience = Patience(Limits(**QUICK), never)
    patience.wait_after(BrokenTransferError("first"))
    patience.wait_after(BrokenTransferError("second"))
    with pytest.raises(BrokenTransferError) as caught:
        patience.wait_after(BROKEN)
    assert caught.value is BROKEN


def test_patience_begins_anew_after_progress() -> None:
    patience = Patience(Limits(**QUICK), never)
    for _ in range(10):
        patience.wait_after(BROKEN)
        patience.received(1 << 14)


def test_patience_is_not_renewed_by_drops() -> None:
    patience = Patience(Limits(**QUICK), never)
    for _ in range(2):
        patience.wait_after(BROKEN)
        patience.received(100)
    with pytest.raises(BrokenTransferError):
        patience.wait_after(BROKEN)


def test_patience_when_cancelled_does_not_wait() -> None:
    patience = Patience(Limits(backoff_first_s=1000, backoff_most_s=1000), lambda: True)
    with pytest.raises(OperatorError) as caught:
        patience.wait_after(BROKEN)
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
    assert caught.value.code is Code.DOWNLOAD_UNREACHABLE
    assert not isinstance(caught.value, BrokenTransferError), "it is not tried again at once"
