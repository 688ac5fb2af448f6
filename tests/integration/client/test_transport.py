# SPDX-License-Identifier: Apache-2.0
"""The transport against real servers that break its rules."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.exceptions import HTTPError

from puad.client.deadline import Deadline
from puad.client.reason import reason_of
from puad.client.transport import make_session
from puad.core.errors import Code, ConfigError, ServerError
from tests.integration.client.hostile_server import (
    Authority,
    Request,
    Serve,
    answer,
    dripping,
    make_authority,
    silent,
)

TIMEOUT_S = 30


def get(session: requests.Session, url: str) -> requests.Response:
    with session, session.get(url, timeout=TIMEOUT_S, stream=True) as response:
        response.raw.read()
        return response


def test_tls_server_of_the_given_ca_is_trusted(serve: Serve, authority: Authority) -> None:
    server = serve(answer(body=b"hello"), authority.context())
    with make_session("1.3", authority.ca_file) as session:
        assert session.get(server.url, timeout=TIMEOUT_S).content == b"hello"
    headers = server.requests[0].headers
    assert headers["user-agent"].startswith("puad/")
    assert headers["accept-encoding"] == "identity"


def test_tls_records_that_have_come_are_taken_together(serve: Serve, authority: Authority) -> None:
    body, sent = bytes(range(256)) * 400, threading.Event()

    def send(connection: socket.socket, request: Request) -> None:
        answer(body=body)(connection, request)
        sent.set()

    server = serve(send, authority.context())
    with (
        make_session("1.3", authority.ca_file) as session,
        session.get(server.url, timeout=TIMEOUT_S, stream=True) as response,
    ):
        assert sent.wait(TIMEOUT_S)
        pieces = list(iter(lambda: response.raw.read1(1 << 18), b""))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) > 1 << 14, "a record is no longer than that"


def test_tls_connection_that_breaks_gives_what_came_before(
    serve: Serve, authority: Authority
) -> None:
    body, got = b"x" * 40_000, list[bytes]()
    server = serve(answer(body=body, Content_Length="100000"), authority.context())
    with (
        make_session("1.3", authority.ca_file) as session,
        session.get(server.url, timeout=TIMEOUT_S, stream=True) as response,
        pytest.raises(HTTPError),
    ):
        got.extend(iter(lambda: response.raw.read1(1 << 18), b""))
    assert b"".join(got) == body


def test_certificate_of_a_time_that_the_clock_has_not_reached_is_judged_at_the_floor(
    serve: Serve, tmp_path: Path
) -> None:
    """A node without a clock of its own stands years before what it has to talk to."""
    ahead, day = timedelta(days=400), timedelta(days=1)
    authority = make_authority(tmp_path, "later", ahead=ahead)
    server = serve(answer(), authority.context())
    then = datetime.now(UTC) + ahead

    with pytest.raises(requests.exceptions.SSLError):
        get(make_session("1.3", authority.ca_file), server.url)
    for floor in (then - 300 * day, then):
        session = make_session("1.3", authority.ca_file, judged_at=floor)
        assert get(session, server.url).status_code == 200
    with pytest.raises(requests.exceptions.SSLError, match="had expired before"):
        get(make_session("1.3", authority.ca_file, judged_at=then + 2 * day), server.url)


def test_certificate_judged_at_the_floor_is_held_to_its_ca_and_its_host_all_the_same(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    floor = datetime.now(UTC)
    server = serve(answer(), authority.context())
    other = make_authority(tmp_path, "other")
    elsewhere = make_authority(tmp_path, "elsewhere", host="127.0.0.9")
    wrong_host = serve(answer(), elsewhere.context())

    with pytest.raises(requests.exceptions.SSLError):
        get(make_session("1.3", other.ca_file, judged_at=floor), server.url)
    with pytest.raises(requests.exceptions.SSLError):
        get(make_session("1.3", elsewhere.ca_file, judged_at=floor), wrong_host.url)
    assert server.requests == wrong_host.requests == []


def test_tls_12_server_is_refused_by_default_and_taken_when_allowed(
    serve: Serve, authority: Authority
) -> None:
    server = serve(answer(), authority.context(ssl.TLSVersion.TLSv1_2))
    with pytest.raises(requests.exceptions.SSLError):
        get(make_session("1.3", authority.ca_file), server.url)
    assert server.requests == []
    assert get(make_session("1.2", authority.ca_file), server.url).status_code == 200


def test_server_of_another_ca_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    other = make_authority(tmp_path, "other")
    server = serve(answer(), authority.context())
    with pytest.raises(requests.exceptions.SSLError):
        get(make_session("1.3", other.ca_file), server.url)
    assert server.requests == []


def test_certificate_for_another_host_is_refused(serve: Serve, tmp_path: Path) -> None:
    elsewhere = make_authority(tmp_path, "elsewhere", host="192.0.2.1")
    server = serve(answer(), elsewhere.context())
    with pytest.raises(requests.exceptions.SSLError):
        get(make_session("1.3", elsewhere.ca_file), server.url)
    assert server.requests == []


def test_given_ca_is_the_only_one_that_counts(serve: Serve, authority: Authority) -> None:
    server = serve(answer(), authority.context())
    session = make_session("1.3", authority.ca_file)
    get(session, server.url)
    adapter: Any = session.get_adapter("https://")
    anchors = adapter._context.get_ca_certs()
    assert len(anchors) == 1, "requests has added its own bundle of public CAs"


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["absent", "garbage"])
def test_unusable_ca_file_is_a_configuration_error(tmp_path: Path, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        make_session("1.3", str(ca_file))
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.on == str(ca_file)


def test_environment_changes_nothing(
    serve: Serve, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_authority(tmp_path, "other")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", other.ca_file)
    monkeypatch.setenv("CURL_CA_BUNDLE", other.ca_file)
    server = serve(answer(), authority.context())
    assert get(make_session("1.3", authority.ca_file), server.url).status_code == 200


def test_cookies_are_not_kept(serve: Serve) -> None:
    server = serve(answer(Set_Cookie="track=1; Path=/"))
    with make_session("1.3") as session:
        for _ in range(2):
            session.get(server.url, timeout=TIMEOUT_S)
    assert "cookie" not in server.requests[1].headers


def test_plain_http_to_another_host_is_refused_before_anything_is_sent() -> None:
    with make_session("1.3") as session, pytest.raises(ServerError) as caught:
        session.get("http://192.0.2.1/", timeout=TIMEOUT_S)
    assert caught.value.code is Code.INSECURE_TRANSPORT


def test_redirect_on_loopback_is_followed(serve: Serve) -> None:
    goal = serve(answer(body=b"goal"))
    start = serve(answer("302 Found", Location=f"{goal.url}/there"))
    with make_session("1.3") as session:
        response = session.get(start.url, timeout=TIMEOUT_S, headers={"Authorization": "x"})
    assert response.content == b"goal"
    assert goal.requests[0].target == "/there"
    assert "authorization" not in goal.requests[0].headers


def test_relative_redirect_is_followed(serve: Serve) -> None:
    goal, redirect = answer(body=b"goal"), answer("307 Temporary Redirect", Location="/b")

    def send(connection: socket.socket, request: Request) -> None:
        (goal if request.target == "/b" else redirect)(connection, request)

    server = serve(send)
    with make_session("1.3") as session:
        assert session.get(f"{server.url}/a", timeout=TIMEOUT_S).content == b"goal"


@pytest.mark.parametrize(
    "target", ["http://192.0.2.1/x", "ftp://127.0.0.1/x", "file:///etc/shadow"]
)
def test_redirect_to_an_insecure_address_is_refused(serve: Serve, target: str) -> None:
    server = serve(answer("302 Found", Location=target))
    with pytest.raises(ServerError) as caught:
        get(make_session("1.3"), server.url)
    assert caught.value.code is Code.INSECURE_TRANSPORT
    assert caught.value.on == target


def test_redirect_from_https_to_plain_loopback_is_refused(
    serve: Serve, authority: Authority
) -> None:
    inner = serve(answer(body=b"a service of the node itself"))
    server = serve(answer("302 Found", Location=inner.url), authority.context())
    with pytest.raises(ServerError) as caught:
        get(make_session("1.3", authority.ca_file), server.url)
    assert caught.value.code is Code.INSECURE_TRANSPORT
    assert inner.requests == []


def test_redirects_without_end_are_bounded(serve: Serve) -> None:
    server = serve(answer("302 Found", Location="/again"))
    with pytest.raises(requests.TooManyRedirects):
        get(make_session("1.3", max_redirects=2), server.url)
    assert len(server.requests) == 3


def test_no_redirect_is_followed_when_none_is_allowed(serve: Serve) -> None:
    server = serve(answer("302 Found", Location="/again"))
    with pytest.raises(requests.TooManyRedirects):
        get(make_session("1.3", max_redirects=0), server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("target", ["http://[::1", "http://\xff\xfe/"])
def test_redirect_to_no_url_is_an_error_of_requests(serve: Serve, target: str) -> None:
    server = serve(answer("302 Found", Location=target))
    with pytest.raises((requests.exceptions.InvalidURL, ServerError)):
        get(make_session("1.3"), server.url)


@pytest.mark.parametrize("followed", [True, False])
def test_endless_body_of_a_redirect_is_never_read(serve: Serve, followed: bool) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 99999999\r\n\r\n"
    endless = dripping(head, b"x" * 4096, pause_s=0)
    server = serve(
        lambda connection, request: (
            answer(body=b"goal") if request.target == "/there" else endless
        )(connection, request)
    )
    with make_session("1.3") as session:
        response = session.get(server.url, timeout=TIMEOUT_S, stream=True, allow_redirects=followed)
        assert response.status_code == (200 if followed else 302)
        response.close()


def test_post_is_never_redirected(serve: Serve) -> None:
    goal = serve(answer())
    server = serve(answer("307 Temporary Redirect", Location=goal.url))
    with make_session("1.3") as session:
        assert session.post(server.url, data=b"x", timeout=TIMEOUT_S).status_code == 307
    assert goal.requests == []


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
    ids=["headers", "body"],
)
@pytest.mark.parametrize("secure", [False, True])
def test_deadline_ends_a_peer_that_drips(
    serve: Serve, authority: Authority, first: bytes, secure: bool
) -> None:
    server = serve(dripping(first, b"a"), authority.context() if secure else None)
    session = make_session("1.3", authority.ca_file)
    with pytest.raises((requests.Timeout, HTTPError)) as caught, Deadline(1):
        get(session, server.url)
    assert reason_of(caught.value) == "it did not answer in time"


def test_deadline_ends_a_tls_handshake_that_never_comes() -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, make_session("1.3") as session:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(requests.RequestException), Deadline(1):
            session.get(url, timeout=4 * TIMEOUT_S)
    assert time.monotonic() - started < 2 * TIMEOUT_S


def test_timeout_of_a_connection_counts_under_a_long_deadline(serve: Serve) -> None:
    release = threading.Event()
    server = serve(silent(release, 4 * TIMEOUT_S))
    started = time.monotonic()
    with make_session("1.3") as session, Deadline(4 * TIMEOUT_S), pytest.raises(requests.Timeout):
        session.get(server.url, timeout=1)
    release.set()
    assert time.monotonic() - started < 2 * TIMEOUT_S


def test_deadline_that_is_kept_changes_nothing_for_later_reads(serve: Serve) -> None:
    asked = threading.Event()

    def slow(connection: socket.socket, _: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        asked.wait(TIMEOUT_S)
        threading.Event().wait(1)
        connection.sendall(b"hello")

    server = serve(slow)
    with make_session("1.3") as session:
        with Deadline(TIMEOUT_S):
            response = session.get(server.url, timeout=TIMEOUT_S, stream=True)
        asked.set()
        with response:
            assert response.content == b"hello"


def test_deadline_that_has_passed_lets_no_later_answer_through(serve: Serve) -> None:
    server = serve(answer(body=b"hello"))
    with make_session("1.3") as session, Deadline(0), pytest.raises(requests.Timeout):
        session.get(server.url, timeout=TIMEOUT_S)


def test_deadline_within_a_deadline_gives_the_outer_one_back(serve: Serve) -> None:
    release = threading.Event()
    server = serve(silent(release, 4 * TIMEOUT_S))
    started = time.monotonic()
    with make_session("1.3") as session, Deadline(1):
        with Deadline(4 * TIMEOUT_S):
            pass
        with pytest.raises(requests.Timeout):
            session.get(server.url, timeout=4 * TIMEOUT_S)
    release.set()
    assert time.monotonic() - started < 2 * TIMEOUT_S
