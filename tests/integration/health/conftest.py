# SPDX-License-Identifier: Apache-2.0
"""A node for the health process: configuration, store, os-release, probes and boot control."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bootloader.one_line import one_line
from puad.core.model import Verdict
from puad.store import Store

_REPOSITORY = Path(__file__).resolve().parents[3]
_CONFIG = """
[health]
required = ["disk", "memory", "image"]
wanted = []
probe_deadline_s = 5
agent_stable_s = 1
min_free_disk_mib = 0
[limits]
dbus_timeout_s = 5
[paths]
persist = "{folder}/persist"
verdict = "{folder}/verdict"
os_release = "{folder}/os-release"
probes = "{folder}/probes.d"
"""


@dataclass
class Node:
    """One booted node; slot b was armed with the image that has booted."""

    folder: Path
    start_object: Callable[[str, dict[str, Any]], Any]
    boot_control: Any = field(default=None)

    def __post_init__(self) -> None:
        for name in ("persist", "verdict", "config.d", "probes.d/required", "probes.d/wanted"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.2\n")
        self.configure(_CONFIG.format(folder=self.folder), "10.toml")

    def configure(self, text: str, name: str = "50.toml") -> None:
        (self.folder / "config.d" / name).write_text(text)

    def probe(self, name: str, body: str) -> Path:
        path = self.folder / "probes.d" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def slots(self, a: str, b: str, *, reboot: list[dict[str, Any]] | None = None) -> None:
        """Start boot control: slot b has booted, and the slots are assessed like this."""
        rows = [
            {
                "name": ["s", name],
                "state": ["s", "booted" if name == "b" else "inactive"],
                "assessment": ["s", assessment],
                "tries-left": ["u", 0],
                "image-id": ["s", "13.2" if name == "b" else "13.1"],
            }
            for name, assessment in (("a", a), ("b", b))
        ]
        script = {
            "properties": {"BootedSlot": ["s", "b"], "Slots": ["aa{sv}", rows]},
            "methods": {"RequestReboot": reboot} if reboot else {},
        }
        self.boot_control = self.start_object("org.puad.Bootloader1", script)

    @property
    def reboots(self) -> list[str]:
        """Reasons of the reboots that were asked for, as boot control takes them."""
        return [one_line(call["values"][0]) for call in self.boot_control.calls("RequestReboot")]

    @property
    def verdict(self) -> Verdict | None:
        return Store(self.folder / "verdict").read_verdict()

    def failed(self) -> dict[str, str]:
        """Probes that failed and their reasons."""
        assert self.verdict is not None
        return {probe.name: probe.reason for probe in self.verdict.probes if not probe.passed}

    def start_health(self, *before: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "puad.health", "--config-dir", f"{self.folder}/config.d"]
        return subprocess.Popen(
            [*before, *command],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(_REPOSITORY)},
            stderr=subprocess.PIPE,
        )

    def run_health(self, *before: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        with self.start_health(*before) as process:
            try:
                _, printed = process.communicate(timeout=120)
            finally:
                process.kill()
        return process.returncode, printed.decode()


@pytest.fixture
def node(scripted: Callable[[str, dict[str, Any]], Any], tmp_path: Path) -> Node:
    return Node(tmp_path / "node", scripted)
