# SPDX-License-Identifier: Apache-2.0
"""What a connection may cost: places, heads that do not come, bytes that nobody takes."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h11
import pytest
import uvicorn
from uvicorn.server import ServerState

from orchestrator_stub import connections
from orchestrator_stub.connections import HEAD_S, STALLED_S, Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Timer:
    """A timer that a test lets run out."""

    seconds: float
    what: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass(eq=False)
class Loop:
    """A loop whose time stands still."""

    timers: list[Timer] = field(default_factory=list)

    def call_later(self, seconds: float, what: Callable[..., None], *args: Any) -> Timer:
        timer = Timer(seconds, lambda: what(*args))
        self.timers.append(timer)
        return timer

    def create_task(self, coroutine: Any, **_: Any) -> Any:
        coroutine.close()
        return self

    def add_done_callback(self, _: object) -> None: ...

    def running(self, seconds: float) -> list[Timer]:
        return [one for one in self.timers if not one.cancelled and one.seconds == seconds]

    def run_out(self, seconds: float) -> None:
        (timer,) = self.running(seconds)
        timer.cancel()
        timer.what()


@dataclass
class Transport:
    """One end of a connection that is nowhere."""

    unsent: int = 0
    aborted: bool = False

    def get_extra_info(self, _: str) -> None: ...

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def app(scope: Any, receive: Any, send: Any) -> None: ...


class Site:
    """The connections of one server."""

    def __init__(self, most: int = 3) -> None:
        self.loop = Loop()
        self._kind = connections.protocol(most)
        self._config = uvicorn.Config(app, http=self._kind, interface="asgi3", log_config=None)
        self._config.load()
        self._state = ServerState()

    def connect(self) -> Connection:
        made = self._kind(
            config=self._config, server_state=self._state, app_state={}, _loop=self.loop
        )
        made.connection_made(Transport())  # type: ignore[arg-type]  # as far as it is asked
        return made


@pytest.fixture
def site() -> Site:
    return Site()


def is_cut(connection: Connection) -> bool:
    assert isinstance(connection.transport, Transport)
    return connection.transport.aborted


def end(connection: Connection) -> None:
    """The response is complete."""
    for event in (h11.Response(status_code=204, headers=[]), h11.EndOfMessage()):
        connection.conn.send(event)
    connection.cycle.response_complete = True
    connection.on_response_complete()


def test_silent_connection_is_cut(site: Site) -> None:
    connection = site.connect()
    site.loop.run_out(HEAD_S)
    assert is_cut(connection)


def test_head_that_comes_byte_by_byte_is_cut(site: Site) -> None:
    connection = site.connect()
    (timer,) = site.loop.running(HEAD_S)
    for byte in REQUEST[:-1]:
        connection.data_received(bytes([byte]))
    assert site.loop.running(HEAD_S) == [timer]
    site.loop.run_out(HEAD_S)
    assert is_cut(connection)


def test_whole_head_has_time_for_its_answer(site: Site) -> None:
    connection = site.connect()
    connection.data_received(REQUEST)
    assert not site.loop.running(HEAD_S)


def test_second_head_has_the_same_time(site: Site) -> None:
    connection = site.connect()
    connection.data_received(REQUEST)
    end(connection)
    assert not site.loop.running(HEAD_S)
    connection.data_received(b"G")
    site.loop.run_out(HEAD_S)
    assert is_cut(connection)


@pytest.mark.parametrize(("after", "cut"), [(70_000, False), (80_000, True), (90_000, True)])
def test_whoever_takes_nothing_is_cut(site: Site, after: int, cut: bool) -> None:
    connection = site.connect()
    connection.data_received(REQUEST)
    transport: Any = connection.transport
    transport.unsent = 80_000
    connection.pause_writing()
    transport.unsent = after
    site.loop.run_out(STALLED_S)
    assert is_cut(connection) is cut
    assert len(site.loop.running(STALLED_S)) == (0 if cut else 1)


def test_whoever_catches_up_is_not_watched(site: Site) -> None:
    connection = site.connect()
    connection.data_received(REQUEST)
    connection.pause_writing()
    connection.resume_writing()
    assert not site.loop.running(STALLED_S)


def test_connection_that_has_waited_longest_gives_way(site: Site) -> None:
    first, second, third = (site.connect() for _ in range(3))
    first.data_received(REQUEST)
    end(first)  # it waits since now
    fourth = site.connect()
    assert [is_cut(one) for one in (first, second, third, fourth)] == [False, True, False, False]
    fifth = site.connect()
    assert [is_cut(one) for one in (first, third, fourth, fifth)] == [False, True, False, False]


def test_connection_that_is_answered_keeps_its_place(site: Site) -> None:
    busy = [site.connect() for _ in range(3)]
    for connection in busy:
        connection.data_received(REQUEST)
    late = site.connect()
    assert is_cut(late)
    assert not any(map(is_cut, busy))
    busy[0].connection_lost(None)
    assert not is_cut(site.connect())


def test_lost_connection_leaves_nothing_behind(site: Site) -> None:
    connection = site.connect()
    connection.pause_writing()
    connection.connection_lost(None)
    assert not site.loop.running(HEAD_S)
    assert not site.loop.running(STALLED_S)
    assert not any(map(is_cut, [site.connect() for _ in range(3)]))


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "most"),
    [
        (1024, 524_288, 32_768, 24_576),
        (1024, 4096, 4096, 3072),
        (4096, 4096, None, 3072),
        (300, 300, None, 225),
        (1024, resource.RLIM_INFINITY, 32_768, 24_576),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 24_576),
        (100_000, 524_288, None, 24_576),
    ],
)
def test_server_asks_for_the_files_that_it_needs(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked: int | None, most: int
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: calls.append(limits))
    assert connections.most_places() == most
    assert calls == ([(asked, hard)] if asked else [])


def test_server_that_may_not_ask_has_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 524_288))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connections.most_places() == 768
