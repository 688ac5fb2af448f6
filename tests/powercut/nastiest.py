# SPDX-License-Identifier: Apache-2.0
"""The nastiest states: the few that are worth a boot. Pure.

Nasty is what is rare, what left much behind on the file systems, and what lies at a turn: the run
stands in one state and the boot loader already shows the next.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from tests.powercut.checker import Sight

_TURNS: Final = frozenset({"STAGED", "ARMED", "ASSESSING"})


def nastiest(sights: dict[str, Sight], count: int) -> list[str]:
    """The names of so many states, no two of one sight."""
    known = Counter(sights.values())

    def nastiness(name: str) -> tuple[int, int, int]:
        sight = sights[name]
        return sight.stored in _TURNS, len(sight.harmless), -known[sight]

    chosen: list[str] = []
    seen: Counter[tuple[str, tuple[str, ...]]] = Counter()
    ranked = sorted(sights, key=lambda name: (nastiness(name), name), reverse=True)
    for most in range(1, count + 1):  # one of each place first, then a second
        for name in ranked:
            place = sights[name].stored, sights[name].entries
            is_new = name not in chosen and sights[name] not in {sights[n] for n in chosen}
            if is_new and seen[place] < most and len(chosen) < count:
                chosen.append(name)
                seen[place] += 1
    return chosen
