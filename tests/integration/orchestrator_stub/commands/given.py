# SPDX-License-Identifier: Apache-2.0
"""What the tests of the commands have in common."""

from __future__ import annotations

from typing import Any, Protocol

PASSWORD = "seven green tractors"


class Told(Protocol):
    """Runs a command: its exit status, standard output, standard error."""

    def __call__(self, *words: str, stdin: str = "") -> tuple[int, str, str]: ...


class Facts(Protocol):
    """Runs a command that works: its facts."""

    def __call__(self, *words: str, stdin: str = "") -> Any: ...
