# SPDX-License-Identifier: Apache-2.0
"""Servers that stop with the test, and a throw-away CA."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.client.hostile_server import (
    Authority,
    Handler,
    Serve,
    Server,
    make_authority,
)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that stop with the test."""
    with ExitStack() as stack:

        def start(handler: Handler, context: ssl.SSLContext | None = None) -> Server:
            return stack.enter_context(Server(handler, context))

        yield start


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, "server")
