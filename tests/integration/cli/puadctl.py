# SPDX-License-Identifier: Apache-2.0
"""puadctl as a process, and scripts of daemons for it to talk to."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from puad.core.dbus_errors import error_name
from puad.core.errors import Code
from puad.render import StatusView, status_document

AGENT = "org.puad.Agent1"
BOOTLOADER = "org.puad.Bootloader1"
REPOSITORY = Path(__file__).parents[3]
Step = dict[str, Any]


@dataclass(frozen=True)
class Puadctl:
    """A puadctl that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.out)
        assert body["api_version"] == "puad/v1"
        return body


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "puad.cli", *map(str, words)]


def environment(**variables: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPOSITORY), **variables}


def status(view: StatusView) -> Step:
    return {"returns": ["(s)", [json.dumps(status_document(view))]]}


def failure(code: Code, text: str) -> Step:
    return {"error": error_name(code), "message": text}


def slot(name: str, state: str, assessment: str, **more: list[Any]) -> dict[str, Any]:
    fixed = {"name": ["s", name], "state": ["s", state], "assessment": ["s", assessment]}
    return fixed | {key.replace("_", "-"): value for key, value in more.items()}


def boot_control(a_is: str = "good") -> dict[str, Any]:
    slots = [
        slot("a", "booted", a_is, size=["t", 4 << 30], image_id=["s", "13.1"], sealed=["b", True]),
        slot("b", "inactive", "bad", size=["t", 4 << 30]),
    ]
    return {
        "BootedSlot": ["s", "a"],
        "PrimarySlot": ["s", "a"],
        "FallbackSlot": ["s", "b"],
        "Backend": ["s", "simulated"],
        "HostUuid": ["s", "2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1"],
        "Slots": ["aa{sv}", slots],
    }
