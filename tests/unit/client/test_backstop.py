# SPDX-License-Identifier: Apache-2.0
"""The backstop: a wait that never looks up is ended from outside."""

from __future__ import annotations

import socket
import threading

import pytest

from puad.client import deadline
from puad.client.backstop import Backstop

LONG_S = 120


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def flood(sender: socket.socket) -> threading.Thread:
    def send() -> None:
        try:
            while True:
                sender.sendall(b"new keys" * 100)
        except OSError:
            return

    sender.settimeout(LONG_S)
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def swallow_all(receiver: socket.socket) -> bytes:
    """As OpenSSL does with what is not for its caller."""
    while receiver.recv(1 << 16):
        pass
    return b""


def test_wait_that_takes_what_never_ends_is_shut_down(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    receiver, sender = pair
    with receiver, sender:
        thread = flood(sender)
        with Backstop().behind(receiver, 0.3):
            assert swallow_all(receiver) == b""
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_deadline_holds_though_the_wait_does_not_look_up(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "_LATEST_S", 0.3)
    receiver, sender = pair
    with receiver, sender, deadline.Deadline(0.1):
        receiver.settimeout(LONG_S)
        thread = flood(sender)
        assert deadline.wait(receiver, lambda: swallow_all(receiver)) == b""
        thread.join(LONG_S)


def test_wait_that_ends_in_time_leaves_its_connection_alone(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    now = 0.0
    backstop = Backstop(lambda: now)
    receiver, sender = pair
    late, other = socket.socketpair()
    with receiver, sender, late, other:
        with backstop.behind(receiver, LONG_S):
            pass
        now = 2.0 * LONG_S
        with backstop.behind(late, -1):
            assert swallow_all(late) == b""  # so the thread has looked at all there was
        sender.sendall(b"still there")
        assert receiver.recv(100) == b"still there"


def test_wait_on_a_connection_that_is_closed_harms_no_other(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    backstop = Backstop()
    receiver, sender = pair
    with receiver, sender, socket.socket() as closed:
        closed.close()
        thread = flood(sender)
        with backstop.behind(closed, 0.0), backstop.behind(receiver, 0.3):
            assert swallow_all(receiver) == b""
        thread.join(LONG_S)
