# SPDX-License-Identifier: Apache-2.0
"""Byte ranges from real servers, honest ones and ones that break every rule (Bad input)."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import replace

import pytest
import requests

from puad.config import Limits
from puad.core.errors import Code, DownloadError, OperatorError, PuadError
from puad.download.http_source import HttpSource
from tests.integration.download.conftest import FILE, PATH, Serve
from tests.integration.download.range_server import (
    Asked,
    Fault,
    RangeServer,
    part,
    reply,
    send_head,
    truncated,
)

SOON_S = 60


def source(server: RangeServer, session: requests.Session, limits: Limits) -> HttpSource:
    return HttpSource(session, server.url + PATH, len(FILE), limits)


def read(source: HttpSource, offset: int = 1000, length: int = 200_000) -> bytes:
    return b"".join(source.read(offset, length, lambda: False))


def error_of(source: HttpSource, offset: int = 1000, length: int = 200_000) -> PuadError:
    started = time.monotonic()
    with pytest.raises(PuadError) as caught:
        read(source, offset, length)
    assert time.monotonic() - started < SOON_S
    return caught.value


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1), (0, len(FILE)), (1, 65_536), (299_999, 1), (123, 299_000)]
)
def test_source_with_honest_server_gives_exactly_the_range(
    serve: Serve, session: requests.Session, limits: Limits, offset: int, length: int
) -> None:
    server = serve()
    assert read(source(server, session, limits), offset, length) == FILE[offset : offset + length]
    (asked,) = server.asked
    assert (asked.first, asked.last) == (offset, offset + length - 1)
    assert asked.headers["accept-encoding"] == "identity"


def test_source_with_several_ranges_keeps_one_connection(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve()
    opened = source(server, session, limits)
    for offset in range(0, 200_000, 20_000):
        assert read(opened, offset, 20_000) == FILE[offset : offset + 20_000]
    assert len(server.asked) == 10
    assert server.connections == 1


@pytest.mark.parametrize(
    "content_range",
    [
        "",
        "bytes 0-199999/300000",
        "bytes 1000-200998/300000",
        "bytes 1000-201000/300000",
        "bytes 1001-201000/300000",
        "bytes 1000-200999/300001",
        "bytes 1000-200999/*",
        "bytes */300000",
        "items 1000-200999/300000",
        "bytes 1000-200999/300000, bytes 0-1/300000",
    ],
)
def test_source_with_another_content_range_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits, content_range: str
) -> None:
    server = serve(part("Content-Length: 200000", content_range=content_range), for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_MISMATCH
    assert len(server.asked) == 1


@pytest.mark.parametrize("length", ["199999", "200001", "300000", "0", "-1", "x"])
def test_source_with_another_length_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits, length: str
) -> None:
    server = serve(part(f"Content-Length: {length}"), for_ever=True)
    code = error_of(source(server, session, limits)).code
    assert code in {Code.DOWNLOAD_MISMATCH, Code.DOWNLOAD_UNREACHABLE}


def test_source_with_whole_file_in_place_of_a_part_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("200 OK", body=FILE), for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_MISMATCH
    assert len(server.asked) == 1


@pytest.mark.parametrize("length", [len(FILE), 1000])
def test_source_with_whole_file_from_its_start_takes_what_it_asked_for(
    serve: Serve, session: requests.Session, limits: Limits, length: int
) -> None:
    server = serve(reply("200 OK", body=FILE), for_ever=True)
    assert read(source(server, session, limits), 0, length) == FILE[:length]


def test_source_with_whole_file_of_another_size_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("200 OK", body=FILE + b"x"), for_ever=True)
    assert error_of(source(server, session, limits), 0, 100).code is Code.DOWNLOAD_MISMATCH


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_source_with_encoded_answer_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits, encoding: str
) -> None:
    fault = part("Content-Length: 200000", f"Content-Encoding: {encoding}")
    server = serve(fault, for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_MISMATCH


def test_source_with_endless_body_takes_only_what_it_asked_for(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    sent = 0

    def endless(connection: socket.socket, asked: Asked) -> None:
        nonlocal sent
        send_head(connection, "206 Partial Content", f"Content-Range: {asked.content_range}")
        connection.sendall(asked.body)
        while True:
            connection.sendall(bytes(65_536))
            sent += 65_536

    server = serve(endless, for_ever=True)
    opened = source(server, session, limits)
    assert read(opened) == FILE[1000:201_000]
    assert read(opened, 5, 10) == FILE[5:15]
    assert server.connections == 2, "a connection with bytes left on it is not used again"
    assert sent < 64 << 20


@pytest.mark.parametrize("keep", [0, 1, 65_536, 199_999])
def test_source_with_truncated_body_goes_on_where_it_stopped(
    serve: Serve, session: requests.Session, limits: Limits, keep: int
) -> None:
    server = serve(truncated(keep))
    assert read(source(server, session, limits)) == FILE[1000:201_000]
    assert [asked.first for asked in server.asked] == [1000, 1000 + keep]
    assert all(asked.last == 200_999 for asked in server.asked)


def test_source_with_body_of_no_stated_length_that_ends_early_goes_on(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    def short(connection: socket.socket, asked: Asked) -> None:
        send_head(connection, "206 Partial Content", f"Content-Range: {asked.content_range}")
        connection.sendall(asked.body[:70_000])

    server = serve(short)
    assert read(source(server, session, limits)) == FILE[1000:201_000]
    assert [asked.first for asked in server.asked] == [1000, 71_000]


def test_source_with_reset_every_64_kib_comes_through(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    def resetting(connection: socket.socket, asked: Asked) -> None:
        truncated(65_536)(connection, asked)
        server.wait(0.2)  # a reset throws away what the client has not read yet
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server = serve(resetting, for_ever=True)
    limits = replace(limits, download_attempts=2)
    assert read(source(server, session, limits), 0, len(FILE)) == FILE
    assert len(server.asked) >= 5


def test_source_with_a_byte_for_each_connection_gives_up(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(truncated(1), for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_UNREACHABLE
    assert len(server.asked) == limits.download_attempts


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad", "503 Busy", "429 Slow down", "408 Late"])
def test_source_with_server_errors_for_ever_gives_up(
    serve: Serve, session: requests.Session, limits: Limits, status: str
) -> None:
    server = serve(reply(status), for_ever=True)
    error = error_of(source(server, session, limits))
    assert error.code is Code.DOWNLOAD_UNREACHABLE
    assert error.transient
    assert status[:3] in str(error)
    assert len(server.asked) == limits.download_attempts


def test_source_with_a_few_server_errors_comes_through(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("500 Oops"), reply("503 Busy"), truncated(10))
    assert read(source(server, session, limits)) == FILE[1000:201_000]


@pytest.mark.parametrize("status", ["404 Not Found", "403 No", "410 Gone", "416 Range", "401 Who"])
def test_source_with_refusal_does_not_ask_again(
    serve: Serve, session: requests.Session, limits: Limits, status: str
) -> None:
    server = serve(reply(status), for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_REFUSED
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", ["204 Empty", "203 Changed", "304 Same"])
def test_source_with_odd_success_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits, status: str
) -> None:
    server = serve(reply(status), for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_MISMATCH


def test_source_with_retry_after_waits_that_long(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("503 Busy", "Retry-After: 1"))
    started = time.monotonic()
    assert read(source(server, session, limits)) == FILE[1000:201_000]
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize(
    "value", ["86400", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_source_with_endless_retry_after_waits_a_bounded_time(
    serve: Serve, session: requests.Session, limits: Limits, value: str
) -> None:
    server = serve(reply("503 Busy", f"Retry-After: {value}"))
    started = time.monotonic()
    assert read(source(server, session, limits)) == FILE[1000:201_000]
    assert 1 <= time.monotonic() - started < SOON_S


def test_source_when_cancelled_ends_a_wait_at_once(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("503 Busy", "Retry-After: 3600"), for_ever=True)
    opened = source(server, session, replace(limits, retry_after_most_s=3600))
    cancelled = threading.Event()

    def cancel_when_it_waits() -> bool:
        if server.asked:
            cancelled.set()
        return cancelled.is_set()

    with pytest.raises(OperatorError) as caught:
        list(opened.read(0, 100, cancel_when_it_waits))
    assert caught.value.code is Code.CANCELLED
    assert len(server.asked) == 1


def test_source_when_cancelled_stops_between_pieces(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    got: list[bytes] = []
    pieces = source(serve(), session, limits).read(0, len(FILE), lambda: bool(got))
    with pytest.raises(OperatorError):
        got.extend(pieces)
    assert 0 < len(b"".join(got)) < len(FILE)


def test_source_with_slow_sender_is_cut(
    serve: Serve, session: requests.Session, impatient: Limits
) -> None:
    def slow(connection: socket.socket, asked: Asked) -> None:
        truncated(0)(connection, asked)
        for byte in asked.body:
            connection.sendall(bytes([byte]))
            server.wait(0.05)

    server = serve(slow, for_ever=True)
    error = error_of(source(server, session, impatient))
    assert error.code is Code.DOWNLOAD_UNREACHABLE
    assert "bytes a second" in str(error)
    assert len(server.asked) == 1


def test_source_with_slow_reader_does_not_count_as_slow(
    serve: Serve, session: requests.Session, impatient: Limits
) -> None:
    got = b""
    for piece in source(serve(), session, impatient).read(0, len(FILE), lambda: False):
        got += piece
        time.sleep(0.6)
    assert got == FILE


def test_source_with_silent_server_gives_up(
    serve: Serve, session: requests.Session, impatient: Limits
) -> None:
    server: RangeServer = serve(lambda _connection, _asked: server.wait(SOON_S), for_ever=True)
    error = error_of(source(server, session, impatient))
    assert error.code is Code.DOWNLOAD_UNREACHABLE
    assert len(server.asked) == impatient.download_attempts


@pytest.mark.parametrize(
    "drip",
    [b"X-Filler: abc\r\n", b"a", b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["lines", "bytes", "100"],
)
def test_source_with_endless_headers_gives_up(
    serve: Serve, session: requests.Session, impatient: Limits, drip: bytes
) -> None:
    def endless(connection: socket.socket, _: Asked) -> None:
        if not drip.startswith(b"HTTP"):
            connection.sendall(b"HTTP/1.1 206 Partial Content\r\nX-Long: ")
        while True:
            connection.sendall(drip)
            server.wait(0.05)

    server = serve(endless, for_ever=True)
    error = error_of(source(server, session, replace(impatient, download_attempts=2)))
    assert error.code is Code.DOWNLOAD_UNREACHABLE


@pytest.mark.parametrize(
    "answer", [b"", b"\0\1\2\r\n\r\n", b"HTTP/9.9 abc\r\n\r\n", b"a" * 100_000]
)
def test_source_with_server_that_speaks_no_http_gives_up(
    serve: Serve, session: requests.Session, limits: Limits, answer: bytes
) -> None:
    server = serve(lambda connection, _: connection.sendall(answer), for_ever=True)
    code = error_of(source(server, session, limits)).code
    assert code in {Code.DOWNLOAD_UNREACHABLE, Code.DOWNLOAD_MISMATCH}


def test_source_with_nobody_listening_gives_up(session: requests.Session, limits: Limits) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    error = error_of(HttpSource(session, url, len(FILE), limits))
    assert error.code is Code.DOWNLOAD_UNREACHABLE
    assert "refused" in str(error)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_source_with_redirect_on_loopback_follows_it_with_the_range(
    serve: Serve, session: requests.Session, limits: Limits, status: str
) -> None:
    target = serve()
    server = serve(reply(status, f"Location: {target.url}{PATH}"))
    assert read(source(server, session, limits)) == FILE[1000:201_000]
    assert (target.asked[0].first, target.asked[0].last) == (1000, 200_999)


@pytest.mark.parametrize(
    "location", ["http://192.0.2.1/image", "http://example.org/image", "ftp://127.0.0.1/image"]
)
def test_source_with_redirect_to_plain_http_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits, location: str
) -> None:
    server = serve(reply("302 Found", f"Location: {location}"), for_ever=True)
    error = error_of(source(server, session, limits))
    assert isinstance(error, DownloadError)
    assert error.code is Code.INSECURE_TRANSPORT
    assert len(server.asked) == 1


def test_source_with_redirect_loop_gives_up(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(reply("302 Found", f"Location: {PATH}"), for_ever=True)
    assert error_of(source(server, session, limits)).code is Code.DOWNLOAD_MISMATCH
    assert len(server.asked) == 4


def test_source_with_endless_body_of_a_redirect_does_not_read_it(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    def endless(connection: socket.socket, _: Asked) -> None:
        send_head(connection, "302 Found", f"Location: {PATH}")
        while True:
            connection.sendall(bytes(65_536))

    server = serve(endless)
    assert read(source(server, session, limits)) == FILE[1000:201_000]


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999/x", "\xff\xfe", ""])
def test_source_with_redirect_to_nowhere_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits, location: str
) -> None:
    server = serve(reply("302 Found", f"Location: {location}"), for_ever=True)
    error = error_of(source(server, session, limits))
    assert isinstance(error, DownloadError)


@pytest.mark.parametrize("stated", [False, True], ids=["alone", "with length"])
@pytest.mark.parametrize("transfer", ["chunked", "identity", "gzip, chunked", "x"])
@pytest.mark.parametrize("status", ["206 Partial Content", "200 OK"])
def test_source_with_coded_transfer_refuses_it_unread(
    serve: Serve,
    session: requests.Session,
    limits: Limits,
    status: str,
    transfer: str,
    stated: bool,
) -> None:
    sent = 0

    def endless(connection: socket.socket, asked: Asked) -> None:
        nonlocal sent
        range_line = f"Content-Range: {asked.content_range}"
        if stated:
            range_line += f"\r\nContent-Length: {100 if status.startswith('206') else len(FILE)}"
        send_head(connection, status, range_line, f"Transfer-Encoding: {transfer}")
        connection.sendall(b"64\r\n%s\r\n" % asked.body[:100])
        while True:
            connection.sendall(b"100000\r\n%s\r\n" % bytes(0x100000))
            sent += 0x100000

    server = serve(endless, for_ever=True)
    error = error_of(source(server, session, limits), 0, 100)
    assert error.code is Code.DOWNLOAD_MISMATCH
    assert len(server.asked) == 1
    assert sent < 64 << 20


def _silent_from_the_start(_: socket.socket, __: Asked) -> None:
    """Say nothing at all."""


def _silent_in_the_headers(connection: socket.socket, _: Asked) -> None:
    connection.sendall(b"HTTP/1.1 206 Partial Content\r\nX-Slow: ")


@pytest.mark.parametrize(
    "begin",
    [_silent_from_the_start, _silent_in_the_headers, truncated(0), truncated(5000)],
    ids=["start", "headers", "body", "later"],
)
@pytest.mark.parametrize("drip", [b"", b"a"], ids=["silent", "dripping"])
def test_source_when_cancelled_stops_waiting_for_the_server(
    serve: Serve, session: requests.Session, limits: Limits, begin: Fault, drip: bytes
) -> None:
    def hang(connection: socket.socket, asked: Asked) -> None:
        begin(connection, asked)
        waits.set()
        while True:
            connection.sendall(drip)
            server.wait(0.2)

    waits = threading.Event()
    asked_in: set[int] = set()

    def cancelled() -> bool:
        asked_in.add(threading.get_ident())
        return waits.is_set()

    server = serve(hang, for_ever=True)
    patient = replace(limits, socket_timeout_s=300, min_rate_window_s=300)
    started = time.monotonic()
    with pytest.raises(OperatorError) as caught:
        list(source(server, session, patient).read(0, 200_000, cancelled))
    assert caught.value.code is Code.CANCELLED
    assert time.monotonic() - started < SOON_S
    assert asked_in == {threading.get_ident()}, "it may belong to the thread of the transfer"


def test_source_error_shows_no_query_of_a_redirect(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    target = serve(truncated(5), for_ever=True)
    target.files[f"{PATH}?signature=secret"] = FILE
    server = serve(
        reply("302 Found", f"Location: {target.url}{PATH}?signature=secret"), for_ever=True
    )
    assert "secret" not in str(error_of(source(server, session, limits)))
