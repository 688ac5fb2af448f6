# SPDX-License-Identifier: Apache-2.0
"""A deadline: the wall-clock bound of a whole call, however slowly the peer drips its bytes.

The timeouts of requests bound one read each: a peer that sends a byte now and then, in its headers,
its body or what follows it, keeps a call alive for ever. So the sockets of
`puad.client.connections` never wait for long in one go: they look up, and a deadline that has
passed, or a call that is cancelled, ends there.

Everything happens in the thread of the call, and what says whether it is cancelled may belong to
that thread. Only a wait that does not look up by itself is ended from outside
(`puad.client.backstop`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Self, TypeVar

from puad.client.backstop import Backstop

_Result = TypeVar("_Result")
_GLANCE_S: Final = 0.25
_SHORTEST_S: Final = 0.001  # a timeout of 0 would mean not to wait at all
_LATEST_S: Final = 10.0  # of a wait of a glance's length, on a machine that is busy
_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
_backstop = Backstop()


class Deadline:
    """Ends the waits of the enclosed calls on their connections, when the time is up.

    Never yield inside from a generator: the deadline holds for whatever the thread does.

    Example::

        with Deadline(30):
            answer = session.get(url, stream=True, timeout=10)
            ...

    Args:
        seconds: How long everything inside may take; a wait beyond it raises `TimeoutError`,
            which requests and urllib3 wrap in their own errors.
        look: Called again and again while waiting; what it raises ends the wait.
    """

    def __init__(self, seconds: float, look: Callable[[], None] = lambda: None) -> None:
        self._seconds = seconds
        self._look = look
        self._end = 0.0
        self._token: Token[Deadline | None] | None = None

    def left_s(self) -> float:
        """How much time is left, more than 0.

        Raises:
            TimeoutError: When none is.
        """
        self._look()
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"no whole answer within {self._seconds:g} s")
        return left_s

    def __enter__(self) -> Self:
        self._end = time.monotonic() + self._seconds
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)


def wait(connection: socket.socket, ready: Callable[[], _Result]) -> _Result:
    """Wait on a connection, under the deadline of the call that is under way, if it has one.

    Args:
        connection: Its timeout bounds this wait as it always does.
        ready: Waits once, for as long as that timeout is now; can be repeated after `TimeoutError`.

    Raises:
        TimeoutError: When the connection's timeout or the deadline has passed.
    """
    deadline = _current.get()
    if deadline is None:
        return ready()
    timeout_s = connection.gettimeout()
    end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    try:
        while True:
            left_s = min(deadline.left_s(), end - time.monotonic(), _GLANCE_S)
            connection.settimeout(max(left_s, _SHORTEST_S))
            try:
                with _backstop.behind(connection, _LATEST_S):
                    return ready()
            except TimeoutError:
                if time.monotonic() >= end:
                    raise
    finally:
        connection.settimeout(timeout_s)
