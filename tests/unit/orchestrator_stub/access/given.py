# SPDX-License-Identifier: Apache-2.0
"""What the tests of access have in common."""

from __future__ import annotations

from dataclasses import dataclass

MINE = "aaaaaaaa-0000-4000-8000-000000000001"
THEIRS = "bbbbbbbb-0000-4000-8000-000000000002"
PASSWORD = "seven green tractors"
API_TOKEN = "o" * 43
NOW_S = 1_800_000_000
HOME = "192.0.2.1"
ELSEWHERE = "198.51.100.9"


@dataclass
class Clock:
    """Time that passes when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
