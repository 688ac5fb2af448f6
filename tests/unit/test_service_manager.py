# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from puad.service_manager import notify


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end of sd_notify."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def test_notify_sends_all_words_in_one_message(manager: socket.socket) -> None:
    assert notify(ready=True, status="two\nlines", watchdog=True, stopping=True)
    assert manager.recv(4096) == b"READY=1\nSTATUS=two lines\nWATCHDOG=1\nSTOPPING=1"


def test_notify_status_cannot_smuggle_another_word(manager: socket.socket) -> None:
    notify(status="idle\nMAINPID=1")
    assert manager.recv(4096) == b"STATUS=idle MAINPID=1"


def test_notify_without_service_manager_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify(ready=True)


def test_notify_with_a_service_manager_that_is_gone_does_not_stop_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify(ready=True)
    assert "does not take messages" in caplog.text
