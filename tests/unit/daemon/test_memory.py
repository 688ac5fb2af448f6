# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from puad.core.errors import EXPLANATIONS, Code
from puad.core.model import Offer, Plan
from puad.core.run import Cause, Goal, Run, State
from puad.daemon.memory import Memory
from puad.render import CauseView, HistoryView, ImageView, PastRunView
from puad.store import Store

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
OFFER = Offer("edge/13.2/edge-13.2.raw.zst", "13.2", "ab" * 32, "edge")
FAILED = Run(
    State.FAILED,
    Goal("r1", OFFER, "b", NOW - timedelta(hours=1)),
    cause=Cause(Code.HASH_MISMATCH, "It went wrong", NOW),
)


def test_history_tells_an_ended_run_once(tmp_path: Path) -> None:
    memory = Memory(Store(tmp_path))
    memory.remember(FAILED, NOW)
    memory.remember(FAILED, NOW)
    memory.remember(Run(), NOW)
    hint = EXPLANATIONS[Code.HASH_MISMATCH].hint
    assert memory.history() == HistoryView(
        (
            PastRunView(
                "r1",
                "FAILED",
                ImageView("13.2", "ab" * 32, "edge/13.2/edge-13.2.raw.zst"),
                "",
                "b",
                NOW - timedelta(hours=1),
                NOW,
                CauseView("hash-mismatch", "It went wrong", hint),
            ),
        )
    )


def test_history_with_entries_of_other_releases_tells_the_rest(tmp_path: Path) -> None:
    memory = Memory(Store(tmp_path))
    memory.remember(FAILED, NOW)
    path = tmp_path / "history.json"
    stored = json.loads(path.read_text())
    stored["entries"] += [{"name": "r0"}, {"run_id": "r2", "state": "PAUSED", "colour": "red"}]
    path.write_text(json.dumps(stored))
    assert [run.id for run in memory.history().runs] == ["r1", "r2"]


def test_history_that_is_torn_is_empty(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text("{")
    assert Memory(Store(tmp_path)).history() == HistoryView()


def test_answer_that_says_nothing_new_is_not_written(tmp_path: Path) -> None:
    memory = Memory(Store(tmp_path))
    memory.keep(Run(plan=Plan(OFFER, answered_at=NOW)))
    file = (tmp_path / "run.json").stat().st_ino
    memory.keep(Run(plan=Plan(OFFER, answered_at=NOW + timedelta(minutes=1))))
    assert (tmp_path / "run.json").stat().st_ino == file
    memory.keep(Run(plan=Plan(answered_at=NOW + timedelta(minutes=2))))
    assert (tmp_path / "run.json").stat().st_ino != file
    assert memory.load()[0].plan == Plan(answered_at=NOW + timedelta(minutes=2))
