# SPDX-License-Identifier: Apache-2.0
"""Strangers who hold connections and say nothing: whoever has something to say is answered."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.orchestrator_stub.running import new_directory, serving

FILES = 400
STRANGERS = 600


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process have the strangers' ends open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], STRANGERS + 400), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("said", [b"", b"GET /login HTTP/1.1\r\nHost: x\r\n"])
def test_connections_that_say_nothing_keep_nobody_out(
    tmp_path: Path, many_files: None, said: bytes
) -> None:
    with (
        serving(new_directory(tmp_path / "data"), files=FILES) as orchestrator,
        ExitStack() as stack,
    ):
        address = urlsplit(orchestrator.url)
        for _ in range(STRANGERS):
            stranger = socket.create_connection((address.hostname, address.port), timeout=60)
            stack.enter_context(stranger)
            if said:
                stranger.sendall(said)
        node = orchestrator.enrol("edge")
        for _ in range(3):
            with orchestrator.new_session() as session:
                assert session.get(f"{orchestrator.url}readyz", timeout=60).status_code == 200
        node.poll("UP_TO_DATE", os_image_id="1.0")
