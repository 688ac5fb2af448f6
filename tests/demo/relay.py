# SPDX-License-Identifier: Apache-2.0
"""Relay: the network between the node and the release service, with a meter and a tap.

The node's release address leads here, on loopback; every request goes on to the real service. The
meter knows which bytes of which file were sent, and the tap limits how many flow in a second, so
that a download takes long enough to watch and to interrupt.
"""

from __future__ import annotations

import http.client
import re
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

_PIECE_BYTES: Final = 64 << 10
_TIMEOUT_S: Final = 30
_PASSED_ON: Final = ("Range", "If-None-Match", "If-Range")
_PASSED_BACK: Final = ("Content-Length", "Content-Range", "Content-Type", "ETag", "Retry-After")
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/")


@dataclass(slots=True)
class Transfer:
    """Bytes of one file that are sent: the first one, how many so far, and since when."""

    path: str
    offset: int
    length: int
    began_at: float


class Relay:
    """The running relay."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._lock = threading.Lock()
        self._transfers: list[Transfer] = []
        self._free_at = 0.0
        self.bytes_per_s = 0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address for the node."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def transfers(self, ending: str = "") -> list[Transfer]:
        """What was sent of the files whose path ends so."""
        with self._lock:
            return [t for t in self._transfers if t.path.endswith(ending)]

    def sent_bytes(self, ending: str = "") -> int:
        """How many bytes were sent of these files."""
        return sum(transfer.length for transfer in self.transfers(ending))

    def request(self, method: str, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Ask the real service."""
        connection = http.client.HTTPConnection(self._upstream.netloc, timeout=_TIMEOUT_S)
        headers = {**headers, "Connection": "close"}  # so that the answer owns the socket
        connection.request(method, self._upstream.path.rstrip("/") + path, headers=headers)
        return connection.getresponse()

    def begin(self, path: str, offset: int) -> Transfer:
        """Write down that a file is being sent from that offset on."""
        transfer = Transfer(path, offset, 0, time.monotonic())
        with self._lock:
            self._transfers.append(transfer)
        return transfer

    def take(self, length: int) -> None:
        """Wait until the tap lets so many bytes through."""
        with self._lock:
            rate = self.bytes_per_s
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + length / rate if rate else now
        if rate:
            time.sleep(start - now)


class _Server(ThreadingHTTPServer):
    """The listening socket, which knows its relay."""

    daemon_threads = True

    def __init__(self, relay: Relay) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.relay = relay

    def handle_error(self, _request: object, _address: object) -> None:
        """Say nothing when the node goes away; anything else is the relay's own bug."""
        error = sys.exception()
        if not isinstance(error, OSError):
            traceback.print_exception(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection of the node."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Pass a request on."""
        self._pass_on("GET")

    def do_HEAD(self) -> None:
        """Pass a request on."""
        self._pass_on("HEAD")

    def log_message(self, *_args: object) -> None:
        """Say nothing: the meter is the log."""

    def _pass_on(self, method: str) -> None:
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        try:
            response = self.server.relay.request(method, self.path, headers)
        except OSError as error:
            self.send_error(502, f"the release service does not answer: {error}")
            return
        with response:
            self.send_response(response.status)
            for name in _PASSED_BACK:
                if value := response.headers.get(name):
                    self.send_header(name, value)
            self.end_headers()
            self._copy(response)

    def _copy(self, response: http.client.HTTPResponse) -> None:
        place = _RANGE.match(response.headers.get("Content-Range", ""))
        transfer = self.server.relay.begin(self.path, int(place.group(1)) if place else 0)
        try:
            while piece := response.read(_PIECE_BYTES):
                self.server.relay.take(len(piece))
                self.wfile.write(piece)
                transfer.length += len(piece)
        except OSError:
            self.close_connection = True  # the node went away: it was killed
