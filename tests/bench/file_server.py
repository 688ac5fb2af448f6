# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.file_server FOLDER`: a static HTTP server with the faults of a network.

It knows GET, one range, and connections that are kept. With `--rate` all answers together flow no
faster than so many bytes a second; with `--cut` a connection breaks after so many bytes of a body.
The port is its first line; `/-/sent` tells how many bytes of bodies it has handed to the network.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from tests.bench.token_bucket import TokenBucket

SENT: Final = "/-/sent"
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")
_PIECE_BYTES: Final = 1 << 20
_PACED_PIECE_BYTES: Final = 1 << 14
_BURST_BYTES: Final = 1 << 16
# What may be under way when a connection breaks; by itself loopback would let it be megabytes.
_SEND_BUFFER_BYTES: Final = 1 << 17


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, rate_bytes_s: float, cut_bytes: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder.resolve()
        self.cut_bytes = cut_bytes
        self.sent_bytes = 0
        self.lock = threading.Lock()
        self.bucket = (
            TokenBucket(rate_bytes_s, _BURST_BYTES, time.monotonic()) if rate_bytes_s else None
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that goes away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        if self.server.cut_bytes or self.server.bucket:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        if self.path == SENT:
            self._tell_sent()
            return
        path = (self.server.folder / unquote(self.path).lstrip("/")).resolve()
        if not path.is_relative_to(self.server.folder) or not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as file:
            self._send(file.fileno(), os.fstat(file.fileno()).st_size)

    def _tell_sent(self) -> None:
        body = str(self.server.sent_bytes).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, fd: int, size: int) -> None:
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        last = min(int(wanted[2]) if wanted and wanted[2] else size - 1, size - 1)
        if wanted and first > last:
            self.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
        self.send_header("Content-Length", str(last + 1 - first))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        self._send_body(fd, first, last + 1)

    def _send_body(self, fd: int, offset: int, end: int) -> None:
        cut = self.server.cut_bytes
        stop = min(end, offset + cut) if cut else end
        piece_bytes = _PACED_PIECE_BYTES if self.server.bucket else _PIECE_BYTES
        while offset < stop:
            size = min(piece_bytes, stop - offset)
            self._wait_for_turn(size)
            count = os.sendfile(self.connection.fileno(), fd, offset, size)
            offset += count
            with self.server.lock:
                self.server.sent_bytes += count
        if stop < end:
            self.close_connection = True

    def _wait_for_turn(self, size: int) -> None:
        if self.server.bucket is not None:
            with self.server.lock:
                wait_s = self.server.bucket.take(size, time.monotonic())
            time.sleep(wait_s)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- its name in the base class
        """Requests are not logged."""


def main() -> int:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=float, default=0.0, help="bytes a second; 0 for no bound")
    parser.add_argument("--cut", type=int, default=0, help="bytes of a body; 0 for never")
    arguments = parser.parse_args()
    with _Server(arguments.folder, arguments.rate, arguments.cut) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
