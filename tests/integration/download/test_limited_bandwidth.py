# SPDX-License-Identifier: Apache-2.0
"""A limited bandwidth on real connections; the clock of the limit goes on only when it waits."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import requests

from puad.config import Limits
from puad.core.errors import Code, OperatorError
from puad.download.bandwidth import Bandwidth
from puad.download.http_source import HttpSource
from puad.download.origin import HttpOrigin
from tests.integration.download.conftest import FILE, PATH, Serve
from tests.integration.download.range_server import truncated
from tests.unit.download.still_clock import StillClock

RATE = 20_000


def limited(clock: StillClock) -> Bandwidth:
    return Bandwidth(RATE, now_s=clock.now_s, wait=clock.wait)


def never() -> bool:
    return False


def test_transfer_takes_as_long_as_its_bandwidth_wants(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    clock = StillClock()
    bandwidth = limited(clock)
    source = HttpSource(session, serve().url + PATH, len(FILE), limits, bandwidth)
    assert b"".join(source.read(0, len(FILE), never)) == FILE
    assert bandwidth.fetched_bytes == len(FILE)
    assert clock.now_s() == pytest.approx(len(FILE) / RATE, abs=0.51)


def test_everything_that_comes_from_one_origin_shares_the_bandwidth(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    clock, small = StillClock(), b"x" * 50_000
    bandwidth = limited(clock)
    server = serve(boot=FILE, timestamp=small)
    origin = HttpOrigin(server.url, session, limits, never, bandwidth)
    assert origin.fetcher().download_bytes(f"{server.url}/timestamp", len(small)) == small
    for path in ("boot", PATH):
        assert b"".join(origin.source(path.lstrip("/"), len(FILE)).read(0, 100_000, never))
    assert bandwidth.fetched_bytes == 250_000
    assert clock.now_s() == pytest.approx(250_000 / RATE, abs=0.51)


def test_bytes_that_came_before_a_break_are_counted_once(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    bandwidth = limited(StillClock())
    server = serve(truncated(123_456))
    source = HttpSource(session, server.url + PATH, len(FILE), limits, bandwidth)
    assert b"".join(source.read(0, len(FILE), never)) == FILE
    assert bandwidth.fetched_bytes == len(FILE)


def test_wait_for_bandwidth_does_not_count_as_slowness(
    serve: Serve, session: requests.Session, impatient: Limits
) -> None:
    # the wait lasts longer than the window, and what comes in it is far below the minimum
    bandwidth = Bandwidth(150_000)
    limits = replace(impatient, min_rate_bytes_s=1_000_000)
    source = HttpSource(session, serve().url + PATH, len(FILE), limits, bandwidth)
    started = time.monotonic()
    assert b"".join(source.read(0, 260_000, never)) == FILE[:260_000]
    assert time.monotonic() - started > limits.min_rate_window_s


def test_transfer_that_waits_for_bandwidth_can_be_cancelled(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    bandwidth, asked = Bandwidth(1024), []
    bandwidth.took(1 << 40)

    def cancelled() -> bool:
        asked.append(server.connections)
        return asked.count(1) > 5

    server = serve()
    source = HttpSource(session, server.url + PATH, len(FILE), limits, bandwidth)
    with pytest.raises(OperatorError) as caught:
        list(source.read(0, len(FILE), cancelled))
    assert caught.value.code is Code.CANCELLED
    assert bandwidth.fetched_bytes == 1 << 40
