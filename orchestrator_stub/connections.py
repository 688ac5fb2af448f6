# SPDX-License-Identifier: Apache-2.0
"""Connections: uvicorn's HTTP/1.1, without its patience for whoever holds one and does nothing.

A connection is a file of this process, and a process has only so many. Rules:

1. The head of a request is there 30 s after its first byte, and the first head of a connection 30 s
   after the connection is. More bytes of it prolong nothing.
2. Whoever takes nothing of what is sent to them for 60 s loses the connection, and with it the
   handler that waits for them.
3. When every place is taken, the connection that has waited longest for a request gives way to a
   new one. A node that rests between two polls opens another one; strangers that only hold theirs
   push each other out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import time
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 30.0
STALLED_S: Final = 60.0
HANDSHAKE_S: Final = 10.0
"""For TLS: what comes before the connection is one of these."""

_FILES: Final = 32_768
"""What a server asks for. Three quarters of them are places: a fleet of ten thousand keeps as many
connections from poll to poll. The others are what is sent over few of them, and the database's.
"""

_TOLD_EVERY_S: Final = 60.0

log = logging.getLogger(__name__)


class Places:
    """The places for connections, and who on them waits for a request, the longest first.

    Args:
        most: How many there are.

    Attributes:
        ended: How many connections have given theirs back.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        self.ended = 0
        self._told_at = float("-inf")

    def take(self, one: Connection) -> None:
        """Give a new connection a place, which may be somebody else's; else it is closed."""
        if len(self._taken) >= self._most:
            self._tell()
            next(iter(self._waiting), one).cut()
        if not one.is_gone:
            self._taken.add(one)

    def wait(self, one: Connection) -> None:
        """The connection has no request; what it waited before counts."""
        if one in self._taken:
            self._waiting.setdefault(one)

    def work(self, one: Connection) -> None:
        """The connection has a request."""
        self._waiting.pop(one, None)

    def leave(self, one: Connection) -> None:
        """The connection is no more."""
        self.ended += one in self._taken
        self._taken.discard(one)
        self._waiting.pop(one, None)

    def _tell(self) -> None:
        if time.monotonic() - self._told_at >= _TOLD_EVERY_S:
            self._told_at = time.monotonic()
            log.warning("all %d places for connections are taken", self._most)


class Connection(H11Protocol):
    """One connection over HTTP/1.1, of a server with so many places."""

    places: Places  # of the class that `protocol` makes

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self.is_gone = False
        self._head = _Timer(self.loop)
        self._stall = _Timer(self.loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's
        """Take a place, and wait for the first request."""
        super().connection_made(transport)
        self.places.take(self)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and look whether a request has begun or a head is still coming."""
        super().data_received(data)
        if self._is_answering:
            self._answer()
        elif not self.is_gone:
            self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, for which uvicorn has a time-out of its own."""
        super().on_response_complete()
        if not self._is_answering:  # else the next one was there already
            self.places.wait(self)

    def pause_writing(self) -> None:
        """The other end does not keep up: give it some time."""
        super().pause_writing()
        if not self.is_gone:
            self._watch_stall(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._stall.stop()

    def cut(self) -> None:
        """End the connection at once, whatever is still to be sent."""
        self._gone()
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _answer(self) -> None:
        self.places.work(self)
        self._head.stop()

    def _expect_head(self) -> None:
        self.places.wait(self)
        if not self.is_gone:
            self._head.start(HEAD_S, self.cut)

    def _watch_stall(self, unsent: int) -> None:
        self._stall.start(STALLED_S, lambda: self._look_at_stall(unsent))

    def _look_at_stall(self, before: int) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent < before:
            self._watch_stall(unsent)
        else:
            self.cut()

    def _gone(self) -> None:
        self.is_gone = True
        self.places.leave(self)
        self._head.stop()
        self._stall.stop()


class _Timer:
    """A timer that runs once at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self, seconds: float, what: Callable[[], None]) -> None:
        """Start it, unless it runs already."""

        def run_out() -> None:
            self._handle = None
            what()

        if self._handle is None:
            self._handle = self._loop.call_later(seconds, run_out)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def protocol(most: int) -> type[Connection]:
    """The connections of one server.

    Args:
        most: How many it may have at a time.
    """

    class OfOneServer(Connection):
        places = Places(most)

    return OfOneServer


def ask_for_files() -> int:
    """Let this process have as many open files as many connections need.

    Returns:
        How many it may have now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # a service may not ask, but has what its unit says
        with contextlib.suppress(OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _FILES if soft == resource.RLIM_INFINITY else min(soft, _FILES)


def most_places() -> int:
    """How many connections this process may have, once it has asked for the files they need."""
    return ask_for_files() * 3 // 4
