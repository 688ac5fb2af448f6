# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's way to the release service, against real servers, good and hostile."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
)

from orchestrator_stub.release_fetcher import ReleaseFetcher
from tests.integration.client.hostile_server import Authority, Server, answer, make_authority
from tests.integration.download.range_server import Asked, Fault, RangeServer, reply, send_head

PATH = "/metadata/timestamp.json"
CONTENT = b"content" * 1000
MOST = 16_384
SOON_S = 60


class Serve(Protocol):
    """Starts a server of `CONTENT` that stops with the test."""

    def __call__(self, *faults: Fault, for_ever: bool = False) -> RangeServer: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of `CONTENT`."""
    with ExitStack() as stack:

        def start(*faults: Fault, for_ever: bool = False) -> RangeServer:
            return stack.enter_context(RangeServer({PATH: CONTENT}, faults, for_ever))

        yield start


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, "release")


def fetch(url: str, **options: Any) -> bytes:
    with ReleaseFetcher(**options) as fetcher:
        return fetcher.download_bytes(url, MOST)


def error_of(server: RangeServer, **options: Any) -> DownloadError:
    started = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fetch(server.url + PATH, **options)
    assert time.monotonic() - started < SOON_S
    return caught.value


def flood(sent: list[int], *head: str, piece: bytes = bytes(1 << 20)) -> Fault:
    """An answer that never ends; `sent` counts its bytes."""

    def send(connection: socket.socket, _: Asked) -> None:
        send_head(connection, *head)
        while True:
            connection.sendall(piece)
            sent.append(len(piece))

    return send


def test_fetcher_takes_several_files_over_one_connection(serve: Serve) -> None:
    server = serve()
    with ReleaseFetcher() as fetcher:
        for _ in range(5):
            assert fetcher.download_bytes(server.url + PATH, MOST) == CONTENT
    assert server.connections == 1
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_fetcher_trusts_the_given_ca_alone(authority: Authority, tmp_path: Path) -> None:
    other = make_authority(tmp_path, "other")
    with Server(answer(body=CONTENT), authority.context(ssl.TLSVersion.TLSv1_3)) as server:
        assert fetch(server.url, ca_file=authority.ca_file) == CONTENT
        for ca_file in ("", other.ca_file):
            with pytest.raises(DownloadError, match=r"(?i)certificate"):
                fetch(server.url, ca_file=ca_file)


def test_fetcher_of_absent_ca_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="the CA file"):
        ReleaseFetcher(str(tmp_path / "absent.pem"))


def test_fetcher_reports_the_status(serve: Serve) -> None:
    error = error_of(serve(reply("404 Not Found")))
    assert isinstance(error, DownloadHTTPError)
    assert error.status_code == 404


def test_fetcher_follows_three_redirects_and_no_more(serve: Serve) -> None:
    again = reply("302 Found", f"Location: {PATH}")
    assert fetch(serve(again, again, again).url + PATH) == CONTENT
    server = serve(again, for_ever=True)
    assert "more than 3 redirects" in str(error_of(server))
    assert len(server.asked) == 4


def test_fetcher_does_not_read_the_endless_body_of_a_redirect(serve: Serve) -> None:
    sent: list[int] = []
    server = serve(flood(sent, "302 Found", f"Location: {PATH}"))
    assert fetch(server.url + PATH) == CONTENT
    assert sum(sent) < 64 << 20


@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.1/x",
        "http://example.org/x",
        "ftp://127.0.0.1/x",
        "http://[::1",
        "//",
        "\xff",
    ],
)
def test_fetcher_refuses_a_redirect_to_an_unsafe_place(serve: Serve, location: str) -> None:
    server = serve(reply("302 Found", f"Location: {location}"), for_ever=True)
    error_of(server)
    assert len(server.asked) <= 4


def test_fetcher_refuses_a_redirect_from_https_to_plain_loopback(
    serve: Serve, authority: Authority
) -> None:
    goal = serve()
    redirect = answer("302 Found", Location=goal.url + PATH)
    with (
        Server(redirect, authority.context()) as server,
        pytest.raises(DownloadError, match="from HTTPS"),
    ):
        fetch(server.url, ca_file=authority.ca_file)
    assert goal.asked == []


def test_fetcher_cuts_an_endless_body(serve: Serve) -> None:
    sent: list[int] = []
    server = serve(flood(sent, "200 OK"), for_ever=True)
    assert isinstance(error_of(server), DownloadLengthMismatchError)
    assert sum(sent) < 64 << 20


def test_fetcher_closes_what_was_left_half_read(serve: Serve) -> None:
    server = serve(flood([], "200 OK"))
    with ReleaseFetcher() as fetcher:
        pieces = fetcher.fetch(server.url + PATH)
        next(pieces)
    (serving,) = server._threads
    serving.join(SOON_S)
    assert not serving.is_alive(), "the connection is still open"
    assert isinstance(pieces, Generator)
    pieces.close()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_fetcher_refuses_an_encoded_body(serve: Serve, encoding: str) -> None:
    server = serve(reply("200 OK", f"Content-Encoding: {encoding}", body=b"bomb"))
    assert "encoded" in str(error_of(server))


@pytest.mark.parametrize("first", ["", "-1\r\n", "ffffffffff\r\n"], ids=["line", "minus", "big"])
def test_fetcher_does_not_take_endless_chunks_into_memory(serve: Serve, first: str) -> None:
    sent: list[int] = []

    def send(connection: socket.socket, asked: Asked) -> None:
        send_head(connection, "200 OK", "Transfer-Encoding: chunked")
        connection.sendall(first.encode())
        while True:
            connection.sendall(b"0" * 65_536)
            sent.append(65_536)

    error_of(serve(send, for_ever=True), deadline_s=20)
    assert sum(sent) < 64 << 20


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Slow: ",
    ],
    ids=["silent", "headers", "body", "body without length", "chunk size", "trailer"],
)
def test_fetcher_ends_a_dripping_server_at_its_deadline(serve: Serve, head: bytes) -> None:
    def drip(connection: socket.socket, _: Asked) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"0" if head else b"")
            server.wait(0.05)

    server = serve(drip, for_ever=True)
    error_of(server, deadline_s=1)


def test_fetcher_after_its_deadline_takes_nothing_more(serve: Serve) -> None:
    server = serve()
    assert "in time" in str(error_of(server, deadline_s=0))
    assert server.asked == []


def test_fetcher_reads_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(CONTENT)
    assert fetch((tmp_path / "a b").as_uri()) == CONTENT
    with pytest.raises(DownloadHTTPError):
        fetch((tmp_path / "absent").as_uri())


def test_plain_http_to_another_machine_is_refused_unasked() -> None:
    with pytest.raises(DownloadError, match="without TLS"):
        fetch("http://192.0.2.1" + PATH)


def test_refused_connection_is_told_without_the_object_of_the_library() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for scheme in ("http", "https"):
        url = f"{scheme}://127.0.0.1:{port}/x"
        with pytest.raises(DownloadError) as caught:
            fetch(url)
        assert str(caught.value).startswith(f"{url} cannot be fetched: Failed to establish")
        assert "Connection refused" in str(caught.value)
