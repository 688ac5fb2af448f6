# SPDX-License-Identifier: Apache-2.0
"""Block inhibitors, asked of an object that answers as logind does, on a real bus."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from puad.effects.inhibitors import block_inhibitors
from puad.system_bus import connected

pytestmark = pytest.mark.dbus

_PROGRAM = Path(__file__).parents[1] / "fake_logind.py"


@pytest.fixture
def logind(system_bus: str, tmp_path: Path) -> Iterator[Callable[[Any], None]]:
    """Start logind with these inhibitors."""
    assert system_bus
    answers = tmp_path / "inhibitors.json"
    with ExitStack() as stack:

        def start(rows: Any) -> None:
            answers.write_text(json.dumps(rows))
            process = subprocess.Popen([sys.executable, _PROGRAM, answers])
            stack.callback(process.wait)
            stack.callback(process.kill)
            until = time.monotonic() + 60
            with connected() as bus:
                while not bus.dbus.NameHasOwner("org.freedesktop.login1"):
                    assert time.monotonic() < until
                    time.sleep(0.02)

        yield start


def test_inhibitors_that_block_a_shutdown_are_named(logind: Callable[[Any], None]) -> None:
    logind(
        [
            ["shutdown:sleep", "apt", "packages are unpacked", "block", 0, 10],
            ["shutdown", "editor", "unsaved text", "block-weak", 1000, 11],
            ["sleep:shutdown:idle", "till", "a sale is open", "block", 7, 12],
        ]
    )
    assert block_inhibitors(30) == [
        "inhibitor apt: packages are unpacked (uid 0)",
        "inhibitor editor: unsaved text (uid 1000)",
        "inhibitor till: a sale is open (uid 7)",
    ]


def test_inhibitors_that_only_delay_or_block_something_else_hold_nothing_up(
    logind: Callable[[Any], None],
) -> None:
    logind(
        [
            ["shutdown", "NetworkManager", "it takes a moment", "delay", 0, 10],
            ["sleep:idle", "player", "a film is shown", "block", 1000, 11],
            ["handle-power-key", "desktop", "it asks first", "block", 1000, 12],
        ]
    )
    assert block_inhibitors(30) == []


def test_inhibitors_without_logind_are_none(
    system_bus: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert system_bus
    with caplog.at_level(logging.INFO):
        assert block_inhibitors(30) == []
    assert "logind does not tell" in caplog.text
    assert caplog.records[-1].levelno == logging.INFO


def test_inhibitors_that_cannot_be_read_hold_nothing_up_but_are_logged(
    logind: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    logind({})
    assert block_inhibitors(30) == []
    assert "not today" in caplog.text


def test_inhibitors_without_a_bus_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/absent")
    assert block_inhibitors(30) == []
