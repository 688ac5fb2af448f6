# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.demo.layout import REPOSITORY

pytestmark = [pytest.mark.demo, pytest.mark.dbus, pytest.mark.timeout(900), pytest.mark.minutes(4)]


@dataclass(frozen=True)
class Played:
    code: int
    output: str
    rows: dict[str, dict[str, Any]]

    @property
    def red(self) -> set[str]:
        return {name for name, row in self.rows.items() if row["seen"] != row["expected"]}


def play(tmp_path: Path, step: int, sabotage: str = "none") -> Played:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tests.demo", "--run", str(run), "--only", str(step)]
    done = subprocess.run(
        [*command, "--sabotage", sabotage],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=800,
        check=False,
    )
    summary = run / "summary.json"
    assert summary.exists(), done.stdout
    steps = json.loads(summary.read_text(encoding="utf-8"))["steps"]
    return Played(done.returncode, done.stdout, {row["name"]: row for row in steps})


def loop_files() -> set[str]:
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    return {file.read_text(encoding="utf-8").strip() for file in files}


@pytest.fixture(autouse=True)
def _root() -> None:
    assert os.geteuid() == 0, "the demo makes mounts and namespaces: run the tests as root"


def test_resumption_on_an_honest_node_is_green_and_leaves_nothing_behind(tmp_path: Path) -> None:
    played = play(tmp_path, 4)

    assert played.code == 0, played.output
    assert played.red == set()
    assert sum(row["bytes_fetched"] for row in played.rows.values()) > 0
    assert not {file for file in loop_files() if file.startswith(str(tmp_path))}


def test_update_with_the_sealed_slot_swapped_turns_red(tmp_path: Path) -> None:
    played = play(tmp_path, 1, "swapped-slot")

    assert played.code == 1, played.output
    assert {"1 os-release in the mount", "1 slot bytes"} <= played.red


def test_rollback_with_the_probes_emptied_turns_red(tmp_path: Path) -> None:
    played = play(tmp_path, 2, "empty-probes")

    assert played.code == 1, played.output
    assert {"2 node is back on", "2 tries of slot b"} <= played.red


def test_rollback_with_counting_switched_off_turns_red(tmp_path: Path) -> None:
    played = play(tmp_path, 2, "no-counting")

    assert played.code == 1, played.output
    assert played.red
