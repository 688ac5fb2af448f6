# SPDX-License-Identifier: Apache-2.0
"""A deadline: the wall-clock bound of a whole call, however slowly the peer drips its bytes.

The timeouts of requests bound one read each: a peer that sends a byte now and then, in its headers
or its body, keeps a call alive for ever. A deadline shuts the connection down instead, which ends
the read that is under way. The connections of `puad.client.transport` report to it.

Leaving a deadline that has passed always raises `requests.Timeout`: to http.client a connection
that ends within the headers is an answer like any other.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

import requests

_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class Deadline:
    """Cuts the connections that the enclosed calls use, when the time is up.

    Example::

        with Deadline(30):
            answer = session.get(url, stream=True, timeout=10)
            ...

    Args:
        seconds: How long everything inside may take.

    Raises:
        requests.Timeout: On leaving, when the time was up before.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._passed = False
        self._socket: socket.socket | None = None
        self._token: Token[Deadline | None] | None = None

    def watch(self, connection: socket.socket) -> None:
        """Take the connection of the call that starts now."""
        with self._lock:
            self._socket = connection
            if self._passed:
                _shut(connection)

    def _expire(self) -> None:
        with self._lock:
            self._passed = True
            if self._socket is not None:
                _shut(self._socket)

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._token is not None:
            _current.reset(self._token)
        if self._passed and (kind is None or issubclass(kind, Exception)):
            raise requests.Timeout(f"no whole answer within {self._seconds:g} s") from error


def watch(connection: socket.socket | None) -> None:
    """Put a connection under the deadline of the call that is under way, if it has one."""
    deadline = _current.get()
    if deadline is not None and connection is not None:
        deadline.watch(connection)


def _shut(connection: socket.socket) -> None:
    # The plain socket's method: a TLS socket's own one takes the TLS state away from under a
    # reader in another thread. An OSError means that it is closed already.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
