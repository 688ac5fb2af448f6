# SPDX-License-Identifier: Apache-2.0
"""The bandwidth: one limit for all connections of an install."""

from __future__ import annotations

import threading

import pytest

from puad.core.errors import Code, OperatorError
from puad.download.bandwidth import PIECE_BYTES, Bandwidth
from tests.unit.download.still_clock import StillClock


def never() -> bool:
    return False


def limited(bytes_s: int, clock: StillClock) -> Bandwidth:
    return Bandwidth(bytes_s, now_s=clock.now_s, wait=clock.wait)


def test_bandwidth_without_a_limit_never_waits_and_counts() -> None:
    clock = StillClock()
    bandwidth = limited(0, clock)
    for _ in range(100):
        bandwidth.wait(never)
        bandwidth.took(1 << 30)
    assert bandwidth.fetched_bytes == 100 << 30
    assert clock.waits == []


@pytest.mark.parametrize("bytes_s", [1024, 50_000_000 // 8, 1 << 26])
def test_bandwidth_with_a_limit_is_used_to_the_last_byte(bytes_s: int) -> None:
    clock = StillClock()
    bandwidth = limited(bytes_s, clock)
    wanted = 60 * bytes_s
    while (left := wanted - bandwidth.fetched_bytes) > 0:
        bandwidth.wait(never)
        bandwidth.took(min(left, bandwidth.piece_bytes))
    assert 59 < clock.now_s() <= 60


@pytest.mark.parametrize(("bytes_s", "piece"), [(1024, 256), (1, 1), (1 << 30, PIECE_BYTES)])
def test_bandwidth_is_taken_in_pieces_of_a_quarter_of_a_second_at_most(
    bytes_s: int, piece: int
) -> None:
    assert limited(bytes_s, StillClock()).piece_bytes == piece


def test_connections_of_one_install_share_the_bandwidth() -> None:
    clock = StillClock()
    bandwidth = limited(1 << 20, clock)

    def connection() -> None:
        for _ in range(50):
            bandwidth.wait(never)
            bandwidth.took(bandwidth.piece_bytes)

    connections = [threading.Thread(target=connection) for _ in range(4)]
    for thread in connections:
        thread.start()
    for thread in connections:
        thread.join()
    assert bandwidth.fetched_bytes == 200 * bandwidth.piece_bytes
    least_s = (bandwidth.fetched_bytes - 5 * bandwidth.piece_bytes) / (1 << 20)
    assert clock.now_s() >= least_s


def test_wait_for_bandwidth_ends_when_the_install_is_cancelled() -> None:
    asked: list[bool] = []

    def after_two_glances() -> bool:
        asked.append(len(asked) >= 2)
        return asked[-1]

    bandwidth = Bandwidth(1024)
    bandwidth.took(1 << 40)  # a debt of thirty years
    with pytest.raises(OperatorError) as caught:
        bandwidth.wait(after_two_glances)
    assert caught.value.code is Code.CANCELLED
    assert asked == [False, False, True]
