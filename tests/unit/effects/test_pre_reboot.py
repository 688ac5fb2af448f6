# SPDX-License-Identifier: Apache-2.0
"""The hooks of pre-reboot.d, as processes; there is no bus, so nobody inhibits."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from puad.config import Limits, PathSettings, Settings, UpdateSettings
from puad.core.actions import Consult
from puad.core.model import Offer
from puad.core.run import Goal
from puad.effects.pre_reboot import PreReboot

_GOAL = Goal("run-1", Offer("u", "13.2", "0" * 64, "edge"), "b", datetime(2026, 11, 23, tzinfo=UTC))
_BINDING = Consult(_GOAL, binding=True)
_OVERRIDDEN = Consult(_GOAL, binding=False)


@pytest.fixture(autouse=True)
def _no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/absent")


def _settings(tmp_path: Path, deadline_s: int = 60, **limits: int) -> Settings:
    folders = (tmp_path / "image", tmp_path / "integrator")
    return Settings(
        update=UpdateSettings(pre_reboot_deadline_s=deadline_s),
        paths=PathSettings(pre_reboot=folders),
        limits=replace(Limits(), **limits),
    )


def _hook(
    tmp_path: Path, name: str, body: str, *, folder: str = "image", mode: int = 0o755
) -> Path:
    path = tmp_path / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return path


def _ask(settings: Settings, consult: Consult = _BINDING) -> str:
    return PreReboot(settings, lambda: False).ask(consult)


def test_hooks_that_are_not_there_hold_nothing_up(tmp_path: Path) -> None:
    assert _ask(_settings(tmp_path)) == ""


def test_hooks_run_in_order_and_know_what_the_reboot_is_for(tmp_path: Path) -> None:
    told = tmp_path / "told"
    line = f'echo "$0 $PUAD_RUN_ID $PUAD_SLOT $PUAD_IMAGE_ID $PUAD_MAY_DEFER" >> {told}'
    second = _hook(tmp_path, "20-drain", line)
    first = _hook(tmp_path, "10-drain", line, folder="integrator")
    assert _ask(_settings(tmp_path)) == ""
    assert told.read_text() == f"{first} run-1 b 13.2 yes\n{second} run-1 b 13.2 yes\n"


def test_hook_that_defers_is_named_with_its_last_line_and_ends_the_asking(tmp_path: Path) -> None:
    later = tmp_path / "later"
    _hook(tmp_path, "10-till", "echo asked; echo a sale is open; exit 75")
    _hook(tmp_path, "20-drain", f"touch {later}")
    assert _ask(_settings(tmp_path)) == "hook 10-till: a sale is open"
    assert not later.exists()


def test_hooks_on_an_operators_word_are_all_run_and_their_holders_named(tmp_path: Path) -> None:
    later = tmp_path / "later"
    _hook(tmp_path, "10-till", "exit 75")
    _hook(tmp_path, "20-drain", f'test "$PUAD_MAY_DEFER" = no && touch {later}')
    _hook(tmp_path, "30-job", "echo busy; exit 75")
    assert _ask(_settings(tmp_path), _OVERRIDDEN) == "hook 10-till; hook 30-job: busy"
    assert later.exists()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("echo no carrier; exit 1", "exit code 1: no carrier"),
        ("kill -9 $$", "signal 9"),
        ("exec /absent/program", "exit code 127"),
    ],
)
def test_hook_that_fails_is_logged_and_holds_nothing_up(
    tmp_path: Path, body: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    later = tmp_path / "later"
    _hook(tmp_path, "10-broken", body)
    _hook(tmp_path, "20-drain", f"touch {later}")
    assert _ask(_settings(tmp_path)) == ""
    assert "10-broken" in caplog.text
    assert told in caplog.text
    assert later.exists()


def test_hook_that_hangs_is_ended_at_the_deadline_and_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    later = tmp_path / "later"
    _hook(tmp_path, "10-hang", "exec sleep 1000")
    _hook(tmp_path, "20-drain", f"touch {later}")
    began = time.monotonic()
    assert _ask(_settings(tmp_path, deadline_s=1)) == ""
    assert time.monotonic() - began < 30
    assert "did not end in time" in caplog.text
    # the deadline is one for all of them
    assert not later.exists()
    assert "20-drain: it was not run" in caplog.text


def test_hook_of_a_later_folder_takes_the_place_of_one_of_the_same_name(tmp_path: Path) -> None:
    _hook(tmp_path, "10-till", "exit 75")
    _hook(tmp_path, "10-till", "exit 0", folder="integrator")
    _hook(tmp_path, ".hidden", "exit 75")
    assert _ask(_settings(tmp_path)) == ""


def test_hook_that_is_no_executable_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _hook(tmp_path, "10-till", "exit 75", mode=0o644)
    assert _ask(_settings(tmp_path)) == ""
    assert "not an executable file" in caplog.text


def test_hooks_in_a_folder_that_is_none_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "image").write_text("")
    _hook(tmp_path, "10-till", "exit 75", folder="integrator")
    assert _ask(_settings(tmp_path)) == "hook 10-till"
    assert "cannot be read" in caplog.text


def test_hooks_are_bounded_in_number_and_in_what_they_say(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(9):
        _hook(
            tmp_path, f"{number}", "printf '\\033[2J'; head -c 3000 /dev/zero | tr '\\0' x; exit 75"
        )
    held_by = _ask(_settings(tmp_path, probes=6), _OVERRIDDEN)
    assert held_by.endswith("; and 2 more")
    assert held_by.isprintable()
    assert len(held_by) < 1000
    assert "9 pre-reboot hooks, more than 6" in caplog.text


def test_hook_is_ended_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    _hook(tmp_path, "10-hang", "exec sleep 1000")
    began = time.monotonic()
    asked = PreReboot(_settings(tmp_path), lambda: time.monotonic() - began > 1)
    assert asked.ask(_BINDING) == ""
    assert time.monotonic() - began < 30
