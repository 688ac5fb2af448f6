# SPDX-License-Identifier: Apache-2.0
"""Which states are worth a boot."""

from __future__ import annotations

from tests.powercut.checker import Sight
from tests.powercut.nastiest import nastiest

PLAIN = Sight("IDLE", ("puad-a.conf",), "a", staged=False, harmless=frozenset())
TURN = Sight("ARMED", ("puad-a.conf",), "a", staged=True, harmless=frozenset({"lost clusters"}))
DIRTY = Sight("DOWNLOADING", ("puad-a.conf",), "a", staged=False, harmless=frozenset({"x", "y"}))
DONE = Sight("DONE", ("puad-b.conf", "puad-a.conf"), "b", staged=True, harmless=frozenset())


def test_nastiest_begins_with_a_turn_and_takes_one_of_each_place() -> None:
    sights = {f"{n}:kept": PLAIN for n in range(9)}
    sights |= {"10:torn": TURN, "11:torn": TURN, "12:kept": DIRTY, "13:kept": DONE}

    chosen = nastiest(sights, 4)

    assert chosen[0] in {"10:torn", "11:torn"}
    assert {sights[name] for name in chosen} == {PLAIN, TURN, DIRTY, DONE}


def test_nastiest_takes_no_sight_twice_and_no_more_than_there_are() -> None:
    assert len(nastiest({"1:kept": PLAIN, "2:kept": PLAIN}, 4)) == 1
    assert nastiest({}, 4) == []


def test_nastiest_takes_a_second_of_a_place_when_the_places_are_used_up() -> None:
    sights = {"1:kept": PLAIN, "2:kept": TURN}
    sights["3:kept"] = Sight("ARMED", TURN.entries, "a", staged=False, harmless=frozenset())

    assert sorted(nastiest(sights, 3)) == ["1:kept", "2:kept", "3:kept"]
