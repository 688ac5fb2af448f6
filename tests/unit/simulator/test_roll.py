# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import stat
from pathlib import Path

from tests.simulator.characters import Character
from tests.simulator.fleet import Identity
from tests.simulator.roll import Part, Roll

ROLL = Roll(
    "http://127.0.0.1:8443/",
    parts=(
        Part(Identity("till-01", "1" * 8, "a-token", "till", "4.0")),
        Part(
            Identity("till-02", "2" * 8, "b-token", "till", "4.1"),
            poll_s=5.0,
            download_s=(1.0, 2.0),
            lost=1.0,
            attempts=1,
            download_window_s=3600.0,
        ),
    ),
    flaws={"4.2": Character.DEAD},
)


def test_roll_is_read_as_it_was_written_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "roll.json"
    ROLL.write(file)
    assert Roll.read(file) == ROLL
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_fleet_of_a_roll_plays_each_part() -> None:
    first, second = ROLL.fleet().nodes
    assert (first.name, first.image_id, first.rules.attempts) == ("till-01", "4.0", 8)
    assert (second.effects.pace.poll_s, second.effects.pace.mishaps.lost) == (5.0, 1.0)
    assert (second.rules.attempts, second.rules.download_window.total_seconds()) == (1, 3600)
    assert second.effects.machine.character_of("4.2") is Character.DEAD
    assert second.effects.machine.character_of("4.3") is Character.HEALTHY
