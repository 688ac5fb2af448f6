# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server that serves byte ranges over kept-alive connections, or misbehaves.

A *fault* takes the place of one answer: it gets the connection and what was asked for, and writes
to the wire what it likes. Faults are used up in order; after the last one answers are honest, or
the last one is repeated for ever.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True)
class Asked:
    """One request: its path, the range in it, and the bytes that an honest server would send."""

    path: str
    headers: dict[str, str]
    first: int | None
    last: int | None
    body: bytes
    total: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.first}-{self.last}/{self.total}"


Fault = Callable[[socket.socket, Asked], None]


@dataclass
class RangeServer:
    """Serves `files` by path.

    Attributes:
        faults: What happens in place of an honest answer.
        for_ever: Whether the last fault repeats.
        asked: Every request, in order.
        connections: How many connections were made.
        sent: Ranges of body bytes that were handed to the kernel, by path.
    """

    files: dict[str, bytes]
    faults: Sequence[Fault] = ()
    for_ever: bool = False
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def wait(self, seconds: float) -> None:
        """Pause a fault; ends at once when the server stops."""
        if self._stopping.wait(seconds):
            raise OSError("the server stops")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            while request := lines.readline():
                headers = {}
                while (line := lines.readline().strip()) != b"":
                    key, _, value = line.decode().partition(": ")
                    headers[key.lower()] = value
                asked = self._understand(request.split()[1].decode(), headers)
                fault = self._take(asked)
                fault(connection, asked)
                if fault is not honest:
                    return

    def _understand(self, path: str, headers: dict[str, str]) -> Asked:
        file = self.files.get(path, b"")
        found = _RANGE.fullmatch(headers.get("range", ""))
        if found is None:
            return Asked(path, headers, None, None, file, len(file))
        first, last = int(found[1]), int(found[2])
        return Asked(path, headers, first, last, file[first : last + 1], len(file))

    def _take(self, asked: Asked) -> Fault:
        with self._lock:
            number = len(self.asked)
            self.asked.append(asked)
        if asked.path not in self.files:
            return reply("404 Not Found")
        if number < len(self.faults):
            return self.faults[number]
        return self.faults[-1] if self.for_ever else honest


def send_head(connection: socket.socket, status: str, *lines: str) -> None:
    connection.sendall("\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode())


def honest(connection: socket.socket, asked: Asked) -> None:
    length = f"Content-Length: {len(asked.body)}"
    if asked.first is None:
        send_head(connection, "200 OK", length)
    else:
        send_head(
            connection, "206 Partial Content", length, f"Content-Range: {asked.content_range}"
        )
    connection.sendall(asked.body)


def reply(status: str, *lines: str, body: bytes = b"") -> Fault:
    """Answer with that status, those headers and that body, then close."""

    def send(connection: socket.socket, _: Asked) -> None:
        send_head(connection, status, f"Content-Length: {len(body)}", *lines)
        connection.sendall(body)

    return send


def part(*lines: str, content_range: str | None = None) -> Fault:
    """The right bytes with other headers."""

    def send(connection: socket.socket, asked: Asked) -> None:
        given = asked.content_range if content_range is None else content_range
        send_head(connection, "206 Partial Content", f"Content-Range: {given}", *lines)
        connection.sendall(asked.body)

    return send


def truncated(keep: int) -> Fault:
    """The right headers, and the connection closed after `keep` bytes of the body."""

    def send(connection: socket.socket, asked: Asked) -> None:
        send_head(
            connection,
            "206 Partial Content",
            f"Content-Length: {len(asked.body)}",
            f"Content-Range: {asked.content_range}",
        )
        connection.sendall(asked.body[:keep])

    return send
