# SPDX-License-Identifier: Apache-2.0
"""The one place that runs other programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bootloader import command
from bootloader.command import Finished
from bootloader.errors import BootloaderError, ErrorName

REPOSITORY = Path(__file__).resolve().parents[3]


def test_program_gets_a_known_environment_and_what_the_caller_adds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "x")
    done = command.finish("/usr/bin/env", limit_s=30, environment={"TMPDIR": "/tmp"})
    lines = ["LC_ALL=C", f"PATH={command.SEARCH_PATH}", "TMPDIR=/tmp"]
    assert sorted(done.output.splitlines()) == lines


def test_program_that_ends_badly_is_told_with_what_it_said() -> None:
    script = r"echo out; printf 'no \377' >&2; exit 7"
    assert command.finish("/bin/sh", "-c", script, limit_s=30) == Finished(7, "out\n", "no \ufffd")
    with pytest.raises(BootloaderError, match="no \ufffd") as caught:
        command.run("/bin/sh", "-c", script)
    assert (caught.value.name, caught.value.on) == (ErrorName.STORAGE_FAILED, "/bin/sh")


def test_program_that_does_not_run_or_end_is_named() -> None:
    with pytest.raises(BootloaderError, match=r"No such file.*\(/nonexistent\)"):
        command.run("/nonexistent")
    with pytest.raises(BootloaderError, match=r"longer than 0.2 s \(/bin/sleep\)"):
        command.run("/bin/sleep", "1000", limit_s=0.2)
    with pytest.raises(TimeoutError):
        command.finish("/bin/sleep", "1000", limit_s=0.2)


def test_nobody_else_runs_programs() -> None:
    modules = (REPOSITORY / "bootloader").rglob("*.py")
    starts = re.compile(r"\bsubprocess\b|os\.(system|popen|posix_spawn)")
    users = [path.name for path in modules if starts.search(path.read_text())]
    assert users == ["command.py"]
