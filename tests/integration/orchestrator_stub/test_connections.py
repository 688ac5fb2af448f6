# SPDX-License-Identifier: Apache-2.0
"""Strangers who hold connections and say nothing: whoever has something to say is answered."""

from __future__ import annotations

import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.integration.orchestrator_stub.running import new_directory, serving

FILES = 400
STRANGERS = 600
QUIET = 200
MOST_BYTES = 100_000


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


def test_connection_over_tls_that_says_nothing_takes_little_memory(tmp_path: Path) -> None:
    directory = new_directory(tmp_path / "data")
    context = ssl.create_default_context(cafile=str(directory.path / "tls" / "ca.crt"))
    with (
        serving(directory, verify=str(directory.path / "tls" / "ca.crt")) as orchestrator,
        ExitStack() as stack,
    ):
        (server,) = [
            child for child in psutil.Process().children() if str(directory.path) in child.cmdline()
        ]
        address = urlsplit(orchestrator.url)

        def connect() -> None:
            plain = socket.create_connection((address.hostname, address.port), timeout=60)
            stranger = context.wrap_socket(plain, server_hostname=str(address.hostname))
            stack.enter_context(stranger)
            stranger.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stranger.recv(1) == b"H"

        connect()
        before = server.memory_info().rss
        for _ in range(QUIET):
            connect()
        assert (server.memory_info().rss - before) / QUIET < MOST_BYTES
