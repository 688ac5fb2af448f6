# SPDX-License-Identifier: Apache-2.0
"""Servers that stop with the test, sessions, and limits that are over soon."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Protocol

import pytest
import requests

from puad.client.transport import make_session
from puad.config import Limits
from tests.integration.download.range_server import Fault, RangeServer

PATH = "/targets/image"
FILE = random.Random(1).randbytes(300_000)


class Serve(Protocol):
    """Starts a server of `FILE`, and of these files, that stops with the test."""

    def __call__(self, *faults: Fault, for_ever: bool = False, **files: bytes) -> RangeServer: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of `FILE`."""
    with ExitStack() as stack:

        def start(*faults: Fault, for_ever: bool = False, **files: bytes) -> RangeServer:
            content = {PATH: FILE, **{f"/{name}": data for name, data in files.items()}}
            return stack.enter_context(RangeServer(content, faults, for_ever))

        yield start


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with make_session("1.3") as opened:
        yield opened


@pytest.fixture
def impatient(limits: Limits) -> Limits:
    """The same, for servers that leave their client waiting."""
    quick: dict[str, Any] = {"socket_timeout_s": 0.5, "min_rate_window_s": 1}
    return replace(limits, **quick)


@pytest.fixture
def limits() -> Limits:
    """Short waits between tries, which the configuration would not take."""
    quick: dict[str, Any] = {
        "backoff_first_s": 0.01,
        "backoff_most_s": 0.02,
        "retry_after_most_s": 1,
        "download_attempts": 4,
    }
    return Limits(**quick)
