# SPDX-License-Identifier: Apache-2.0
import http.client
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.demo.relay import Relay

FILE = bytes(range(256)) * 4096


class Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        place = self.headers.get("Range")
        first, last = 0, len(FILE) - 1
        if place:
            first, last = map(int, place.removeprefix("bytes=").split("-"))
        body = FILE[first : last + 1]
        self.send_response(206 if place else 200)
        self.send_header("Content-Length", str(len(body)))
        if place:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(FILE)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def relay() -> Iterator[Relay]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        thread = threading.Thread(target=upstream.serve_forever)
        thread.start()
        relay = Relay(f"http://127.0.0.1:{upstream.server_address[1]}/release/")
        yield relay
        relay.close()
        upstream.shutdown()
        thread.join()


def fetch(relay: Relay, name: str, place: str = "") -> bytes:
    request = urllib.request.Request(relay.url + name)
    if place:
        request.add_header("Range", place)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def recorded(relay: Relay, least_bytes: int) -> list[tuple[int, int]]:
    end = time.monotonic() + 30
    while relay.sent_bytes() < least_bytes and time.monotonic() < end:
        time.sleep(0.01)
    return [(transfer.offset, transfer.length) for transfer in relay.transfers()]


def test_relay_with_a_range_passes_it_on_and_meters_its_place(relay: Relay) -> None:
    assert fetch(relay, "image", "bytes=1000-1999") == FILE[1000:2000]
    assert recorded(relay, 1000) == [(1000, 1000)]


def test_sent_bytes_with_an_ending_counts_only_those_files(relay: Relay) -> None:
    fetch(relay, "image.raw.zst", "bytes=0-99")
    fetch(relay, "timestamp.json", "bytes=0-9")
    recorded(relay, 110)
    assert relay.sent_bytes(".raw.zst") == 100


def test_relay_with_a_client_that_goes_away_meters_what_was_sent(relay: Relay) -> None:
    relay.bytes_per_s = 256 << 10
    connection = http.client.HTTPConnection(relay.url.split("/")[2], timeout=30)
    connection.request("GET", "/image")
    answer = connection.getresponse()
    answer.read(1000)
    answer.close()
    connection.close()
    ((offset, length),) = recorded(relay, 1000)
    assert offset == 0
    assert 1000 <= length < len(FILE)
