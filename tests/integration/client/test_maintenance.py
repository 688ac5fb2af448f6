# SPDX-License-Identifier: Apache-2.0
"""The call to the maintenance manager against real servers, good and hostile."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from puad.client.maintenance import MaintenanceClient, read_token
from puad.config import Limits, ServerSettings
from puad.core.errors import Code, PuadError, ServerError, WireError
from puad.core.model import Offer, SingleSchedule
from puad.core.wire import StatusReport, StatusType
from tests.integration.client.hostile_server import (
    Authority,
    Request,
    Serve,
    answer,
    dripping,
    make_authority,
    silent,
)

GUID = "2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
TOKEN = "header.payload.signature"
REPORT = StatusReport(StatusType.UP_TO_DATE, profile_name="edge", os_image_id="13.1")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EMPTY = {"updateSource": {}, "updateSchedule": {}, "osType": "OS_TYPE_IMMUTABLE"}
WANTED = {
    **EMPTY,
    "updateSchedule": {"singleSchedule": {"startSeconds": "1795428000"}},
    "osProfileUpdateSource": {
        "osImageUrl": "edge/13.2/edge-13.2.raw.zst",
        "osImageId": "13.2",
        "osImageSha": "ab" * 32,
        "profileName": "edge",
    },
}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def client(
    url: str, token_file: Path, *, ca_file: str = "", timeout_s: int = 30
) -> MaintenanceClient:
    settings = ServerSettings(url, token_file, ca_file, timeout_s=timeout_s)
    return MaintenanceClient(settings, Limits())


def failure(url: str, token_file: Path, *, ca_file: str = "", timeout_s: int = 30) -> PuadError:
    maintenance = client(url, token_file, ca_file=ca_file, timeout_s=timeout_s)
    with pytest.raises(PuadError) as caught:
        maintenance.report(GUID, REPORT, NOW)
    assert TOKEN not in str(caught.value)
    return caught.value


def test_report_sends_the_status_and_returns_the_plan(
    serve: Serve, authority: Authority, token_file: Path
) -> None:
    server = serve(answer(body=WANTED), authority.context())
    plan = client(server.url + "/", token_file, ca_file=authority.ca_file).report(GUID, REPORT, NOW)
    assert plan.offer == Offer("edge/13.2/edge-13.2.raw.zst", "13.2", "ab" * 32, "edge")
    assert plan.schedules.single == SingleSchedule(1795428000)
    (request,) = server.requests
    assert request.target == "/maintmgr.v1.MaintmgrService/PlatformUpdateStatus"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    sent = json.loads(request.body)
    assert sent["hostGuid"] == GUID
    assert sent["updateStatus"]["statusType"] == "STATUS_TYPE_UP_TO_DATE"


def test_answer_without_a_policy_has_no_offer(serve: Serve, token_file: Path) -> None:
    server = serve(answer(body=EMPTY))
    assert client(server.url, token_file).report(GUID, REPORT, NOW).offer is None


def test_token_is_read_again_at_each_call(serve: Serve, token_file: Path) -> None:
    server = serve(answer(body=EMPTY))
    maintenance = client(server.url, token_file)
    maintenance.report(GUID, REPORT, NOW)
    token_file.write_text("renewed")
    maintenance.report(GUID, REPORT, NOW)
    seen = [request.headers["authorization"] for request in server.requests]
    assert seen == [f"Bearer {TOKEN}", "Bearer renewed"]


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"two tokens", b"evil\r\nHost: other", b"\xff\xfe", b"x" * 20_000],
    ids=["empty", "blank", "two words", "header injection", "no text", "huge"],
)
def test_file_without_a_token_sends_nothing(serve: Serve, token_file: Path, content: bytes) -> None:
    token_file.write_bytes(content)
    server = serve(answer(body=EMPTY))
    error = failure(server.url, token_file)
    assert error.code is Code.SERVER_UNAUTHENTICATED
    assert error.on == str(token_file)
    assert server.requests == []


def test_token_file_that_is_absent_a_folder_or_a_fifo_is_named(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path / "absent", tmp_path, fifo):
        with pytest.raises(ServerError) as caught:
            read_token(path)
        assert caught.value.code is Code.SERVER_UNAUTHENTICATED
        assert caught.value.on == str(path)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("400 Bad Request", Code.SERVER_REFUSED),
        ("401 Unauthorized", Code.SERVER_UNAUTHENTICATED),
        ("403 Forbidden", Code.SERVER_UNAUTHENTICATED),
        ("404 Not Found", Code.SERVER_REFUSED),
        ("408 Request Timeout", Code.SERVER_UNREACHABLE),
        ("412 Precondition Failed", Code.SERVER_REFUSED),
        ("429 Too Many Requests", Code.SERVER_UNREACHABLE),
        ("500 Internal Server Error", Code.SERVER_UNREACHABLE),
        ("503 Service Unavailable", Code.SERVER_UNREACHABLE),
        ("204 No Content", Code.SERVER_REFUSED),
    ],
)
def test_each_status_has_its_code(serve: Serve, token_file: Path, status: str, code: Code) -> None:
    server = serve(answer(status))
    error = failure(server.url, token_file)
    assert error.code is code
    assert f"HTTP {status[:3]}" in str(error)


def test_connect_error_is_shown_without_control_characters(serve: Serve, token_file: Path) -> None:
    body = {"code": "not_found", "message": "host \x1b[2Junknown\n" + "x" * 1000}
    error = failure(serve(answer("404 Not Found", body)).url, token_file)
    assert "HTTP 404, host  [2Junknown xxx" in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (b"<html>", None),
        (b"[" * 4000, None),
        (b"[1]", None),
        (b'{"message": 5}', None),
        (b"{", "99"),
    ],
    ids=["html", "deep", "list", "number", "truncated"],
)
def test_garbage_in_an_error_leaves_the_status(
    serve: Serve, token_file: Path, body: bytes, length: str | None
) -> None:
    headers = {"Content_Length": length} if length else {}
    error = failure(serve(answer("500 Oops", body, **headers)).url, token_file)
    assert "HTTP 500" in str(error)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("Mon, 23 Nov 2026 10:01:40 GMT", 100.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("99999999999999999999", 3600.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_kept_and_bounded(
    serve: Serve, token_file: Path, header: str, wait_s: float | None
) -> None:
    server = serve(answer("503 Service Unavailable", Retry_After=header))
    error = failure(server.url, token_file)
    assert isinstance(error, ServerError)
    assert error.retry_after_s == wait_s


def test_redirect_is_not_followed_with_the_token(serve: Serve, token_file: Path) -> None:
    goal = serve(answer(body=EMPTY))
    server = serve(answer("307 Temporary Redirect", Location=goal.url))
    error = failure(server.url, token_file)
    assert error.code is Code.SERVER_REFUSED
    assert goal.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>login</html>",
        b"[]",
        b"{}",
        b'{"updateSource": 1}',
        b'{"a":' * 100_000,
        b"\xff\xfe",
        b'{"updateSource": {}, "updateSchedule": {"singleSchedule": {"startSeconds": NaN}}}',
    ],
    ids=["empty", "html", "list", "no source", "wrong type", "deep", "no UTF-8", "NaN"],
)
def test_garbage_answer_is_a_wire_error(serve: Serve, token_file: Path, body: bytes) -> None:
    error = failure(serve(answer(body=body)).url, token_file)
    assert isinstance(error, WireError)
    assert error.code is Code.SERVER_ANSWER_INVALID


def test_answer_without_end_is_given_up_at_its_bound(serve: Serve, token_file: Path) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    error = failure(serve(dripping(CHUNKED, chunk, pause_s=0)).url, token_file)
    assert error.code is Code.SERVER_ANSWER_INVALID
    assert "larger than 1048576 bytes" in str(error)


@pytest.mark.parametrize(
    "first",
    [
        CHUNKED,
        CHUNKED + b"-1\r\n",
        CHUNKED + b"ffffffffff\r\n",
        CHUNKED.replace(b"200 OK", b"500 Oops"),
        CHUNKED.replace(b"200 OK", b"500 Oops") + b"-1\r\n",
        CHUNKED.replace(b"200 OK", b"500 Oops") + b"ffffffffff\r\n",
    ],
    ids=["line", "size -1", "big", "line in error", "size -1 in error", "big in error"],
)
def test_answer_in_chunks_without_end_is_not_taken_into_memory(
    serve: Serve, token_file: Path, first: bytes
) -> None:
    sent = 0

    def flood(connection: socket.socket, _: Request) -> None:
        nonlocal sent
        connection.sendall(first)
        while True:
            connection.sendall(b"0" * 0x10000)
            sent += 0x10000

    error = failure(serve(flood).url, token_file, timeout_s=5)
    assert error.code in {Code.SERVER_UNREACHABLE, Code.SERVER_ANSWER_INVALID}
    assert sent < 64 << 20


def test_compressed_answer_is_refused_unread(serve: Serve, token_file: Path) -> None:
    error = failure(serve(answer(body=b"bomb", Content_Encoding="gzip")).url, token_file)
    assert error.code is Code.SERVER_ANSWER_INVALID
    assert "compressed" in str(error)


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        CHUNKED,
        CHUNKED + b"0\r\nX-Slow: ",
    ],
    ids=["headers", "body", "chunk size", "trailer"],
)
def test_server_that_drips_is_given_up_after_the_timeout(
    serve: Serve, token_file: Path, first: bytes
) -> None:
    error = failure(serve(dripping(first, b" ")).url, token_file, timeout_s=1)
    assert error.code is Code.SERVER_UNREACHABLE
    assert "it did not answer in time" in str(error)


def test_server_that_never_answers_is_given_up(serve: Serve, token_file: Path) -> None:
    release = threading.Event()
    server = serve(silent(release, 60))
    error = failure(server.url, token_file, timeout_s=1)
    release.set()
    assert error.code is Code.SERVER_UNREACHABLE
    assert error.transient


def test_nobody_listening_is_said_plainly(serve: Serve, token_file: Path) -> None:
    server = serve(answer())
    url = server.url
    server.stop()
    error = failure(url, token_file)
    assert str(error) == f"The orchestrator could not be asked: the connection was refused ({url})"


def test_answer_cut_off_in_the_middle_is_no_plan(serve: Serve, token_file: Path) -> None:
    server = serve(answer(body=json.dumps(WANTED).encode()[:-1], Content_Length="5000"))
    error = failure(server.url, token_file)
    assert error.code in {Code.SERVER_UNREACHABLE, Code.SERVER_ANSWER_INVALID}


def test_no_http_at_all_is_unreachable(serve: Serve, token_file: Path) -> None:
    server = serve(lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n"))
    assert failure(server.url, token_file).code is Code.SERVER_UNREACHABLE


def test_untrusted_certificate_is_said_plainly(
    serve: Serve, authority: Authority, token_file: Path, tmp_path: Path
) -> None:
    other = make_authority(tmp_path, "other")
    server = serve(answer(body=EMPTY), authority.context())
    error = failure(server.url, token_file, ca_file=other.ca_file)
    assert error.code is Code.SERVER_UNREACHABLE
    assert "its certificate is not trusted" in str(error)
    assert server.requests == []


def test_old_tls_is_said_plainly(serve: Serve, authority: Authority, token_file: Path) -> None:
    server = serve(answer(body=EMPTY), authority.context(ssl.TLSVersion.TLSv1_2))
    error = failure(server.url, token_file, ca_file=authority.ca_file)
    assert error.code is Code.SERVER_UNREACHABLE
    assert "TLS failed" in str(error)


def test_name_that_does_not_resolve_is_said_plainly(token_file: Path) -> None:
    error = failure("https://orchestrator.invalid", token_file)
    assert error.code is Code.SERVER_UNREACHABLE
    assert "its name does not resolve" in str(error)


def test_plain_http_address_is_refused(token_file: Path) -> None:
    assert failure("http://192.0.2.1", token_file).code is Code.INSECURE_TRANSPORT


def test_node_without_an_orchestrator_says_so(token_file: Path) -> None:
    error = failure("", token_file)
    assert error.code is Code.SERVER_UNREACHABLE
    assert error.on == "server.url"
