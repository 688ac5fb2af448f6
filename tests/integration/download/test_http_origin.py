# SPDX-License-Identifier: Apache-2.0
"""A signed repository on real servers: metadata that never end, break off, or come encoded."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from tuf.api import exceptions

from puad.config import Limits
from puad.core.errors import Code, DownloadError, OperatorError, PuadError, TrustError
from puad.download.origin import HttpOrigin
from puad.download.repository import ReleaseRepository
from tests.integration.download.conftest import Serve
from tests.integration.download.range_server import (
    Asked,
    Fault,
    RangeServer,
    reply,
    send_head,
    truncated,
)
from tests.unit.download.signed_repository import NOW, SignedRepository

SMALL = "edge/13.1/profile.yaml"
SPOILT = "edge/13.1/spoilt"
Open = Callable[..., tuple[ReleaseRepository, RangeServer]]


@pytest.fixture
def open_node(serve: Serve, session: requests.Session, limits: Limits, tmp_path: Path) -> Open:
    """Publish over HTTP, and make a node's view of it."""
    published = SignedRepository(tmp_path / "published")
    published.add(SMALL, b"profile: edge\n")
    published.add(SPOILT, b"good")
    published.place(SPOILT).write_bytes(b"evil")
    published.rotate("timestamp")
    published.publish()
    files = {
        str(path.relative_to(published.folder)): path.read_bytes()
        for path in published.folder.rglob("*")
        if path.is_file()
    }

    def start(
        *faults: Fault, for_ever: bool = False, **options: Any
    ) -> tuple[ReleaseRepository, RangeServer]:
        server = serve(*faults, for_ever=for_ever, **files)
        cancelled = options.pop("cancelled", lambda: False)
        node = ReleaseRepository(
            HttpOrigin(server.url + "/", session, limits, cancelled),
            cache=tmp_path / "cache",
            trust_root=published.metadata / "1.root.json",
            limits=limits,
            reference_time=NOW,
            **options,
        )
        return node, server

    return start


def error_of(node: ReleaseRepository) -> PuadError:
    with pytest.raises(PuadError) as caught:
        node.refresh()
    return caught.value


def test_repository_over_http_is_verified_on_one_connection(open_node: Open) -> None:
    node, server = open_node()
    node.refresh()
    assert node.small_target(SMALL, 100) == b"profile: edge\n"
    assert node.seen().root == 2
    assert len(node.chain().roots) == 1
    assert server.connections <= 2, "one answer is a 404, after which a server may close"


def test_repository_of_second_refresh_fetches_only_what_may_be_new(open_node: Open) -> None:
    node, server = open_node()
    node.refresh()
    before = len(server.asked)
    node.refresh()
    assert [asked.path for asked in server.asked[before:]] == [
        "/metadata/3.root.json",
        "/metadata/timestamp.json",
    ]


def test_small_target_with_other_bytes_over_http_is_refused(open_node: Open) -> None:
    node, _ = open_node()
    node.refresh()
    with pytest.raises(TrustError) as caught:
        node.small_target(SPOILT, 100)
    assert caught.value.code is Code.HASH_MISMATCH


def test_big_target_over_http_is_read_by_range(open_node: Open) -> None:
    node, server = open_node()
    node.refresh()
    assert b"".join(node.source(SMALL).read(9, 4, lambda: False)) == b"edge"
    assert server.asked[-1].headers["range"] == "bytes=9-12"


def test_metadata_that_never_end_are_cut(open_node: Open) -> None:
    sent = 0

    def endless(connection: socket.socket, _: Asked) -> None:
        nonlocal sent
        send_head(connection, "200 OK")
        while True:
            connection.sendall(b" " * 65_536)
            sent += 65_536

    node, _ = open_node(endless, for_ever=True)
    assert error_of(node).code is Code.DOWNLOAD_MISMATCH
    assert sent < 64 << 20


def endless_trailer(server: Callable[[], RangeServer]) -> Fault:
    def send(connection: socket.socket, _: Asked) -> None:
        send_head(connection, "200 OK", "Transfer-Encoding: chunked")
        connection.sendall(b"0\r\n")
        while True:
            connection.sendall(b"a: b\r\n")
            server().wait(0.05)

    return send


def test_small_file_with_endless_trailer_is_given_up(
    serve: Serve, session: requests.Session, impatient: Limits
) -> None:
    server = serve(endless_trailer(lambda: server), for_ever=True, small=b"content")
    fetcher = HttpOrigin(server.url, session, impatient).fetcher()
    with pytest.raises(exceptions.DownloadError, match="bytes a second"):
        fetcher.download_bytes(f"{server.url}/small", 100)
    assert len(server.asked) == 1


def test_small_file_with_endless_trailer_when_cancelled_is_given_up(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(endless_trailer(lambda: server), for_ever=True, small=b"content")
    patient = replace(limits, socket_timeout_s=300, min_rate_window_s=300)
    fetcher = HttpOrigin(server.url, session, patient, lambda: bool(server.asked)).fetcher()
    started = time.monotonic()
    with pytest.raises(exceptions.DownloadError) as caught:
        fetcher.download_bytes(f"{server.url}/small", 100)
    assert isinstance(caught.value.__cause__, OperatorError)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy"])
def test_metadata_with_server_errors_for_ever_are_given_up(open_node: Open, status: str) -> None:
    node, server = open_node(reply(status), for_ever=True)
    error = error_of(node)
    assert error.code is Code.DOWNLOAD_UNREACHABLE
    assert error.transient
    assert len(server.asked) == 3


def test_metadata_with_a_server_error_in_between_are_had(open_node: Open) -> None:
    node, _ = open_node(reply("500 Oops"), truncated(10), reply("503 Busy"))
    with pytest.raises(DownloadError) as caught:
        node.refresh()  # 206 where no part was asked for
    assert caught.value.code is Code.DOWNLOAD_MISMATCH
    node, _ = open_node(reply("500 Oops"), reply("503 Busy"))
    node.refresh()


def test_metadata_that_break_off_are_fetched_again(open_node: Open) -> None:
    def broken(connection: socket.socket, asked: Asked) -> None:
        send_head(connection, "200 OK", f"Content-Length: {len(asked.body)}")
        connection.sendall(asked.body[:100])

    node, server = open_node(broken, broken)
    node.refresh()
    assert [asked.path for asked in server.asked[:3]] == ["/metadata/2.root.json"] * 3


def test_metadata_that_come_encoded_are_refused(open_node: Open) -> None:
    node, _ = open_node(reply("200 OK", "Content-Encoding: gzip", body=b"\x1f\x8b"), for_ever=True)
    assert error_of(node).code is Code.DOWNLOAD_MISMATCH


def test_metadata_with_redirect_to_plain_http_are_refused(open_node: Open) -> None:
    node, _ = open_node(reply("302 Found", "Location: http://192.0.2.1/root.json"), for_ever=True)
    error = error_of(node)
    assert isinstance(error, DownloadError)
    assert error.code is Code.INSECURE_TRANSPORT


@pytest.mark.parametrize("status", ["403 No", "404 Gone", "410 Gone"])
def test_repository_that_is_not_there_is_refused(open_node: Open, status: str) -> None:
    node, _ = open_node(reply(status), for_ever=True)
    assert error_of(node).code is Code.DOWNLOAD_REFUSED


def test_repository_of_insecure_address_is_refused(
    session: requests.Session, limits: Limits, tmp_path: Path
) -> None:
    published = SignedRepository(tmp_path / "published")
    node = ReleaseRepository(
        HttpOrigin("http://192.0.2.1/", session, limits),
        cache=tmp_path / "cache",
        trust_root=published.root_file,
        limits=limits,
        reference_time=NOW,
    )
    assert error_of(node).code is Code.INSECURE_TRANSPORT


def test_repository_when_cancelled_stops_waiting(open_node: Open) -> None:
    server: RangeServer
    node, server = open_node(reply("500 Oops"), for_ever=True, cancelled=lambda: bool(server.asked))
    error = error_of(node)
    assert isinstance(error, OperatorError)
    assert error.code is Code.CANCELLED
    assert len(server.asked) == 1


def test_fetcher_as_tuf_calls_it_raises_only_errors_of_tuf(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("500 Oops"), small=b"content")
    fetcher = HttpOrigin(server.url, session, limits).fetcher()
    with pytest.raises(exceptions.DownloadError):
        list(fetcher.fetch(f"{server.url}/small"))
    assert b"".join(fetcher.fetch(f"{server.url}/small")) == b"content"
