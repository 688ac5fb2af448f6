# SPDX-License-Identifier: Apache-2.0
"""A private system bus and objects on it, for every test that speaks D-Bus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from puad.system_bus import connected
from tests.integration.open_bus import open_bus

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 180


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, long enough for the slowest machine."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"waited {PATIENCE_S} s in vain until {what}")
        time.sleep(0.02)


@contextmanager
def stopped_at_end(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def system_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a private system bus that everything in this test uses."""
    config = tmp_path / "bus.conf"
    config.write_text(open_bus(f"unix:dir={tmp_path}"))
    command = ["/usr/bin/dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"]
    with stopped_at_end(subprocess.Popen(command, stdout=subprocess.PIPE)) as daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().decode().strip()
        assert address, "dbus-daemon did not start"
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


def has_owner(name: str) -> bool:
    with connected() as bus:
        return bool(bus.dbus.NameHasOwner(name))


@dataclass
class Scripted:
    """A running scripted object (scripted_object.py)."""

    process: subprocess.Popen[bytes]
    log: Path

    def calls(self, method: str = "") -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        calls = [json.loads(line) for line in lines]
        return [call for call in calls if method in ("", call["method"])]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


Script = dict[str, Any]


@pytest.fixture
def scripted(system_bus: str, tmp_path: Path) -> Iterator[Callable[[str, Script], Scripted]]:
    """Start an object that plays a script under a bus name whose contract is in the tree."""
    with ExitStack() as stack:

        def start(name: str, script: Script) -> Scripted:
            xml = next(REPOSITORY.glob(f"*/{name}.xml"))
            script_file = tmp_path / f"{name}.json"
            script_file.write_text(json.dumps(script))
            log = tmp_path / f"{name}.calls"
            program = Path(__file__).with_name("scripted_object.py")
            command: list[str | Path] = [sys.executable, program, name, xml, script_file, log]
            process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
            stack.enter_context(stopped_at_end(process))
            wait_until(lambda: has_owner(name), f"{name} is on the bus")
            return Scripted(process, log)

        yield start
