# SPDX-License-Identifier: Apache-2.0
"""The report: what was checked, in lines for a person and one document for the note."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from tests.demo.layout import REPOSITORY
from tests.powercut.booted import Outcome
from tests.powercut.checker import Findings

FOLDER: Final = REPOSITORY / "build/test-powercut"
_MOST_SHOWN: Final = 20


class Report:
    """Collects results.

    Args:
        say: Prints a line.
        name: Of the document, without its suffix.
    """

    def __init__(self, say: Callable[[str], None], name: str = "report") -> None:
        self.say = say
        self._name = name
        self.failed = False
        self._began = time.monotonic()
        self._states = 0
        self._violations = 0
        self._harmless: Counter[str] = Counter()
        self._recordings: dict[str, int] = {}
        self._faults: dict[str, str] = {}
        self._booted: list[Outcome] = []
        self._resumed = 0

    def fault(self, name: str, expected: str, found: Findings) -> None:
        """A planted fault was looked for."""
        hits = [
            state
            for state, wrong in found.violations.items()
            if any(what.startswith(f"{expected}:") for what in wrong)
        ]
        word = f"found in {len(hits)} of {found.states} states" if hits else "NOT FOUND"
        self._faults[name] = word
        self.failed |= not hits
        self.say(f"planted {name}: {word} by {expected}")

    def recording(self, name: str, seed: int, found: Findings) -> None:
        """A sound recording was checked."""
        self._states += found.states
        self._recordings[name] = found.states
        self._violations += len(found.violations)
        self._harmless.update(found.harmless)
        self.failed |= bool(found.violations)
        self.say(f"{name}: {found.states} states, {len(found.violations)} violations (seed {seed})")
        for state, wrong in list(found.violations.items())[:_MOST_SHOWN]:
            for what in wrong:
                self.say(f"  {state}: {what}")

    def resumed(self, names: list[str], failed: dict[str, str]) -> None:
        """The bench went on from these states."""
        self._resumed += len(names)
        self.failed |= bool(failed)
        self.say(f"gone on from {len(names)} states on the bench, {len(failed)} came to no end")
        for name, error in failed.items():
            self.say(f"  {name}: {error}")

    def booted(self, outcome: Outcome) -> None:
        """A state was booted."""
        self._booted.append(outcome)
        self.failed |= bool(outcome.wrong)
        self.say(
            f"booted {outcome.name}: slot {outcome.first} as the model said, {outcome.end}"
            if not outcome.wrong
            else f"booted {outcome.name}: {outcome.wrong}"
        )

    def end(self) -> None:
        """The last lines, and the document."""
        for what, count in sorted(self._harmless.items()):
            self.say(f"harmless, {count} times: {what}")
        seconds = round(time.monotonic() - self._began)
        boots_wrong = sum(bool(outcome.wrong) for outcome in self._booted)
        document: dict[str, Any] = {
            "states": self._states,
            "violations": self._violations,
            "recordings": self._recordings,
            "faults": self._faults,
            "harmless": dict(self._harmless),
            "booted": [asdict(outcome) for outcome in self._booted],
            "resumed": self._resumed,
            "seconds": seconds,
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{self._name}.json").write_text(json.dumps(document, indent=1) + "\n")
        self.say(
            f"power cut: {self._states} states checked, {self._violations} violations;"
            f" {self._resumed} gone on from; {len(self._booted)} booted, {boots_wrong} wrong;"
            f" {len(self._faults)} planted faults; {seconds} s"
        )
