# SPDX-License-Identifier: Apache-2.0
"""A file that changes while it is fetched: two versions of it are never mixed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests

from puad.config import Limits
from puad.core.errors import Code, DownloadError
from puad.download.http_source import HttpSource
from tests.integration.download.conftest import FILE, PATH, Serve
from tests.integration.download.range_server import Asked, Fault, RangeServer, reply, send_head

OTHER = bytes(reversed(FILE))
JANUARY = "Last-Modified: Fri, 02 Jan 2026 10:00:00 GMT"
JUNE = "Last-Modified: Tue, 02 Jun 2026 10:00:00 GMT"


def version(content: bytes, *lines: str, keep: int | None = None, deaf: bool = False) -> Fault:
    """A server's answer from one version of the file.

    Args:
        content: The file's bytes.
        lines: What the server says of the version.
        keep: Where it breaks off.
        deaf: Whether it has never heard of If-Range.
    """

    def send(connection: socket.socket, asked: Asked) -> None:
        wanted = asked.headers.get("if-range")
        if wanted is not None and not deaf and f"ETag: {wanted}" not in lines:
            send_head(connection, "200 OK", f"Content-Length: {len(content)}", *lines)
            connection.sendall(content)
            return
        body = content[asked.first : (asked.last or 0) + 1]
        length = f"Content-Length: {len(body)}"
        given = f"Content-Range: {asked.content_range}"
        send_head(connection, "206 Partial Content", length, given, *lines)
        connection.sendall(body[:keep])

    return send


def source(server: RangeServer, session: requests.Session, limits: Limits) -> HttpSource:
    return HttpSource(session, server.url + PATH, len(FILE), limits)


def halves(source: HttpSource) -> Iterator[bytes]:
    middle = len(FILE) // 2
    yield b"".join(source.read(0, middle, lambda: False))
    yield b"".join(source.read(middle, len(FILE) - middle, lambda: False))


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (['ETag: "1"'], ['ETag: "2"']),
        (['ETag: "1"', JANUARY], ['ETag: "2"', JANUARY]),
        ([JANUARY], [JUNE]),
        (['ETag: W/"1"', JANUARY], ['ETag: W/"2"', JUNE]),
        (["ETag: 1", JANUARY], ["ETag: 1", JUNE]),
    ],
    ids=["tag", "tag of the same second", "time", "weak tag", "no tag"],
)
def test_source_with_file_that_changes_between_two_ranges_refuses_it(
    serve: Serve,
    session: requests.Session,
    limits: Limits,
    before: list[str],
    after: list[str],
    deaf: bool,
) -> None:
    server = serve(version(FILE, *before, deaf=deaf), version(OTHER, *after, deaf=deaf))
    parts = halves(source(server, session, limits))
    assert next(parts) == FILE[: len(FILE) // 2]
    with pytest.raises(DownloadError) as caught:
        next(parts)
    assert caught.value.code is Code.DOWNLOAD_MISMATCH
    assert "replaced by another one while it was fetched" in str(caught.value)
    assert len(server.asked) == 2


def test_source_with_file_that_changes_after_a_break_refuses_it(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(version(FILE, 'ETag: "1"', keep=70_000), version(OTHER, 'ETag: "2"'))
    got: list[bytes] = []
    with pytest.raises(DownloadError) as caught:
        got.extend(source(server, session, limits).read(0, len(FILE), lambda: False))
    assert caught.value.code is Code.DOWNLOAD_MISMATCH
    assert b"".join(got) == FILE[:70_000], "not a byte of the other version"


def test_source_asks_for_the_version_that_it_has_begun_with(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    server = serve(version(FILE, 'ETag: "1"', JANUARY), for_ever=True)
    assert b"".join(halves(source(server, session, limits))) == FILE
    assert [asked.headers.get("if-range") for asked in server.asked] == [None, '"1"']


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []),
        ([], ['ETag: "1"', JANUARY]),
        (['ETag: "1"'], []),
        (['ETag: "1"', JANUARY], ['ETag: "1"', JUNE]),
        (['ETag: "1"', JANUARY], [JANUARY]),
        (['ETag: W/"1"'], ['ETag: W/"2"']),
        ([f'ETag: "{"x" * 5000}"'], [f'ETag: "{"y" * 5000}"']),
        (['ETag: "\xff"'], ['ETag: "\xfe"']),
        (['ETag: "1"\r\n and more'], ['ETag: "2"\r\n and more']),
    ],
    ids=["none", "later", "lost", "copied", "lost tag", "weak", "long", "odd", "folded"],
)
def test_source_with_server_that_says_little_of_its_versions_takes_the_bytes(
    serve: Serve, session: requests.Session, limits: Limits, before: list[str], after: list[str]
) -> None:
    server = serve(version(FILE, *before, deaf=True), version(FILE, *after, deaf=True))
    assert b"".join(halves(source(server, session, limits))) == FILE


def test_source_with_mirrors_of_different_tags_takes_the_bytes(
    serve: Serve, session: requests.Session, limits: Limits
) -> None:
    mirrors = [serve(version(FILE, f'ETag: "{number}"'), for_ever=True) for number in range(2)]
    server = serve(*(reply("302 Found", f"Location: {mirror.url}{PATH}") for mirror in mirrors))
    assert b"".join(halves(source(server, session, limits))) == FILE
    assert [len(mirror.asked) for mirror in mirrors] == [1, 1]
