# SPDX-License-Identifier: Apache-2.0
"""What a demo leaves up: processes that go on after it, remembered by name until they are ended."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

_PROGRAMS: Final = {"server": b"orchestrator_stub", "simulator": b"tests.simulator"}
"""By name, the module that such a process runs: its id may belong to another one by now."""


def remember(run: Path, name: str, pid: int) -> None:
    """Note that a process goes on."""
    _file(run, name).write_text(f"{pid}\n", encoding="ascii")


def stop_left_up(run: Path) -> list[str]:
    """End what a demo has left up: the names of what was still there."""
    return [name for name in _PROGRAMS if _stop(run, name)]


def stop_process(pid: int) -> None:
    """End a process that was started here; nothing to do when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _stop(run: Path, name: str) -> bool:
    file = _file(run, name)
    if not file.exists():
        return False
    pid = int(file.read_text(encoding="ascii"))
    file.unlink()
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if _PROGRAMS[name] in words:
            stop_process(pid)
            return True
    return False


def _file(run: Path, name: str) -> Path:
    return run / f"{name}.pid"
