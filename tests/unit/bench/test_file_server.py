# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.served_folder import Served, served

CUT = 3000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served")
    (path / "file").write_bytes(bytes(range(256)) * 40)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with served(folder) as one:
        yield one


def fetch(url: str, ranged: str = "") -> tuple[int, str | None, bytes]:
    request = urllib.request.Request(url, headers={"Range": ranged} if ranged else {})
    with urllib.request.urlopen(request) as answer:
        return answer.status, answer.headers["Content-Range"], answer.read()


def has_sent(server: Served, count: int) -> bool:
    """Whether it comes to have sent so many bytes: it counts what it has sent, a moment later."""
    until = time.monotonic() + 30
    while server.sent_bytes() < count and time.monotonic() < until:
        time.sleep(0.01)
    return server.sent_bytes() == count


@pytest.mark.parametrize(
    ("ranged", "place", "part"),
    [("bytes=0-0", "0-0", (0, 1)), ("bytes=300-", "300-10239", (300, 10240))],
)
def test_range_is_given_to_the_byte(
    folder: Path, ranged: str, place: str, part: tuple[int, int]
) -> None:
    data = (folder / "file").read_bytes()[slice(*part)]
    with served(folder) as server:
        assert fetch(f"{server.url}/file", ranged) == (206, f"bytes {place}/10240", data)
        assert has_sent(server, len(data))


def test_whole_file_is_given(server: Served, folder: Path) -> None:
    assert fetch(f"{server.url}/file") == (200, None, (folder / "file").read_bytes())


@pytest.mark.parametrize(
    ("path", "ranged", "code"),
    [("absent", "", 404), ("../secret", "", 404), ("file", "bytes=10240-", 416)],
)
def test_what_is_not_there_is_refused(server: Served, path: str, ranged: str, code: int) -> None:
    with pytest.raises(urllib.error.HTTPError, match=str(code)):
        fetch(f"{server.url}/{path}", ranged)


def test_connection_breaks_where_it_shall(folder: Path) -> None:
    with served(folder, cut_bytes=CUT) as server:
        with pytest.raises(http.client.IncompleteRead) as broken:
            fetch(f"{server.url}/file")
        assert len(broken.value.partial) == CUT
        assert has_sent(server, CUT)
