# SPDX-License-Identifier: Apache-2.0
"""The connection to the maintenance manager is kept, and given up when it should be."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from puad.client.maintenance import MaintenanceClient
from puad.config import Limits, ServerSettings
from puad.core.errors import Code, ServerError
from puad.core.wire import StatusReport, StatusType
from tests.integration.client.hostile_server import Authority, make_authority

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
REPORT = StatusReport(StatusType.UP_TO_DATE, profile_name="edge", os_image_id="13.1")
ANSWER = json.dumps(
    {"updateSource": {}, "updateSchedule": {}, "osType": "OS_TYPE_IMMUTABLE"}
).encode()


class KeepingServer(ThreadingHTTPServer):
    """A server that keeps its connections open, and counts them."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connections: list[socket.socket] = []
        self.answered = 0
        self.end_after = 0  # so many requests of a connection are read and not answered
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def end_connections(self) -> None:
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: KeepingServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.end_after:
            self.server.end_after -= 1
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.server.answered += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(authority: Authority) -> Iterator[KeepingServer]:
    with KeepingServer(authority.context()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        for connection in server.connections:
            connection.close()


@pytest.fixture
def client(server: KeepingServer, authority: Authority, tmp_path: Path) -> MaintenanceClient:
    token = tmp_path / "token"
    token.write_text("token\n")
    return MaintenanceClient(ServerSettings(server.url, token, authority.ca_file), Limits())


def ask(client: MaintenanceClient) -> None:
    client.report("2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1", REPORT, NOW)


def test_one_connection_serves_many_calls(server: KeepingServer, client: MaintenanceClient) -> None:
    for _ in range(3):
        ask(client)
    assert (len(server.connections), server.answered) == (1, 3)


def test_connection_that_the_server_has_ended_is_not_noticed(
    server: KeepingServer, client: MaintenanceClient
) -> None:
    ask(client)
    server.end_connections()
    ask(client)
    assert (len(server.connections), server.answered) == (2, 2)


def test_call_whose_kept_connection_ends_meanwhile_is_repeated_once(
    server: KeepingServer, client: MaintenanceClient
) -> None:
    ask(client)
    server.end_after = 1
    ask(client)
    assert (len(server.connections), server.answered) == (2, 2)
    server.end_after = 2
    with pytest.raises(ServerError) as caught:
        ask(client)
    assert caught.value.code is Code.SERVER_UNREACHABLE
    ask(client)
    assert (len(server.connections), server.answered) == (4, 3)


def test_renewed_ca_file_counts_at_once(
    server: KeepingServer, client: MaintenanceClient, authority: Authority, tmp_path: Path
) -> None:
    ask(client)
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other", "other")
    os.replace(other.ca_file, authority.ca_file)  # noqa: PTH105 -- as an operator's mv does it
    with pytest.raises(ServerError):
        ask(client)
    assert server.answered == 1
