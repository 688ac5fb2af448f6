# SPDX-License-Identifier: Apache-2.0
"""The simulated machine's power and boot state."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bootloader.durable import Files
from bootloader.simulated_machine import (
    BOOT_COMPLETE,
    REBOOT,
    SELECTED,
    SimulatedMachine,
    pid_namespace,
)


def test_boot_is_complete_once_pid_1_says_so(tmp_path: Path) -> None:
    machine = SimulatedMachine(tmp_path, Files())
    assert not machine.is_boot_complete()
    (tmp_path / BOOT_COMPLETE).touch()
    assert machine.is_boot_complete()


@pytest.mark.parametrize("inside", [True, False])
def test_reboot_ends_pid_1_of_the_simulated_machine_and_of_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _signal: ended.append(pid))
    word = {"slot": "b", "pid_namespace": pid_namespace() if inside else 0}
    (tmp_path / SELECTED).write_text(json.dumps(word))
    SimulatedMachine(tmp_path, Files()).request_reboot("update to 13.1")
    assert (tmp_path / REBOOT).read_text() == "update to 13.1\n"
    assert ended == ([1] if inside else [])
