# SPDX-License-Identifier: Apache-2.0
"""What was played, a line of JSON for each scenario as it ends, so that a run of hours can go on.

A run that is ended early leaves its file behind; the next one is given it and plays the rest. The
report names the commit of each scenario, because a mend may lie between two parts of a run.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.demo.layout import REPOSITORY


@dataclass(frozen=True)
class Played:
    """A scenario that was played to its end.

    Args:
        nodeid: pytest's name of it.
        outcome: `passed` or `failed`.
        commit: the tree it was played on.
        boots: how often a machine was switched on or started again.
        seconds: of its own, waits included.
        machine_s: seconds that its machines ran.
        cpu_s: seconds of one processor that its machines took.
    """

    nodeid: str
    outcome: str
    commit: str
    boots: int
    seconds: float
    machine_s: float
    cpu_s: float

    @property
    def name(self) -> str:
        """The file and the scenario in it."""
        return self.nodeid.rpartition("/")[2]


def read(file: Path) -> list[Played]:
    """Read what earlier runs have played; of a scenario played twice, the last one counts."""
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    played = [Played(**json.loads(line)) for line in lines]
    return list({one.nodeid: one for one in played}.values())


@dataclass
class Notebook:
    """Collects what is played in this run; a plug-in of pytest's main process.

    Args:
        file: where it is noted as well, line by line; `None` for nowhere.
    """

    file: Path | None
    played: list[Played] = field(default_factory=list)
    _outcomes: dict[str, tuple[str, float]] = field(default_factory=dict)
    _commit: str = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a scenario when its nodes are stopped: only then is known what they cost."""
        before, seconds = self._outcomes.get(report.nodeid, ("passed", 0.0))
        outcome = before if report.outcome == "passed" else report.outcome
        self._outcomes[report.nodeid] = outcome, seconds + report.duration
        if report.when != "teardown":
            return
        outcome, seconds = self._outcomes.pop(report.nodeid)
        facts: dict[str, Any] = {"boots": 0, "machine_s": 0.0, "cpu_s": 0.0}
        facts |= dict(report.user_properties)
        if outcome == "skipped":
            return
        self._note(Played(report.nodeid, outcome, self.commit, seconds=seconds, **facts))

    @property
    def commit(self) -> str:
        """The commit of the checkout, with a `+` when there are changes that it lacks."""
        if not self._commit:
            command = ("git", "describe", "--always", "--dirty=+", "--exclude=*")
            said = subprocess.run(
                command, cwd=REPOSITORY, capture_output=True, text=True, check=True
            )
            self._commit = said.stdout.strip()
        return self._commit

    def _note(self, played: Played) -> None:
        self.played.append(played)
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(played)) + "\n")


def write_report(file: Path, played: list[Played], line: str) -> None:
    """Write what was played as Markdown.

    Args:
        file: the report, written anew.
        played: each scenario once.
        line: the sum of it.
    """
    text = [
        "# Scenarios in the virtual machine",
        "",
        "Written by `make test-vm-full`; [vm.md](vm.md) says what each scenario is.",
        "",
        line,
        "",
        "| scenario | outcome | boots | seconds | of a processor | commit |",
        "|---|---|---|---|---|---|",
    ]
    text += [
        f"| `{one.name}` | {one.outcome} | {one.boots} | {one.seconds:.0f} | {one.cpu_s:.0f}"
        f" | {one.commit} |"
        for one in sorted(played, key=lambda one: one.name)
    ]
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
