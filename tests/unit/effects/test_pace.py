# SPDX-License-Identifier: Apache-2.0
"""The pace of an install: how it is held up between two chunks."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from puad.config import PaceSettings
from puad.core.errors import Code, OperatorError
from puad.core.neighbours import Reading
from puad.effects.pace import Pace
from tests.unit.download.still_clock import StillClock

MIB = 1 << 20


@dataclass
class Node:
    """A node whose clock stands still but for the waits, and that does this beside the install.

    Attributes:
        clock: Its clock.
        load: Its load average.
        reads_s: What is read from its disks, in bytes a second.
        told: What the install said of its pauses.
    """

    clock: StillClock = field(default_factory=StillClock)
    load: float = 0.0
    reads_s: float = 0.0
    told: list[str] = field(default_factory=list)
    readings: int = 0

    def pace(self, settings: PaceSettings) -> Pace:
        return Pace(settings, self.read, now_s=self.clock.now_s, wait=self.clock.wait)

    def read(self) -> Reading:
        self.readings += 1
        now_s = self.clock.now_s()
        return Reading(
            now_s, load=self.load, read_bytes=int(self.reads_s * now_s), own_read_bytes=0
        )


def install(node: Node, pace: Pace, mebibytes: int, *, chunk_s: float = 0.0) -> float:
    """How long it takes to bring so much to the slot, when a chunk takes so long by itself."""
    begun_s = node.clock.now_s()
    for _ in range(mebibytes):
        node.clock.wait(chunk_s)
        pace.hold(MIB, lambda: False, node.told.append)
    return node.clock.now_s() - begun_s


def test_install_on_a_node_at_rest_is_not_held_up() -> None:
    node = Node()
    assert install(node, node.pace(PaceSettings()), 1000, chunk_s=0.002) == pytest.approx(2)
    assert node.told == []
    assert node.readings <= 10, "a node is looked at four times a second"


@pytest.mark.parametrize("bound", [MIB, 25 * MIB])
def test_install_with_a_bound_keeps_it(bound: int) -> None:
    node = Node()
    pace = node.pace(PaceSettings(write_bytes_s=bound))
    took_s = install(node, pace, 200)
    assert took_s == pytest.approx(200 * MIB / bound, rel=0.01, abs=0.15)


def test_install_slows_down_while_others_read_from_a_disk() -> None:
    node = Node(reads_s=20e6)
    pace = node.pace(PaceSettings())
    node.clock.wait(0.1)  # metadata come first
    assert install(node, pace, 160) == pytest.approx(10, rel=0.02)
    node.reads_s = 0.0
    node.clock.wait(10)
    install(node, pace, 1)
    assert install(node, pace, 160) == 0


def test_slower_one_of_two_bounds_holds() -> None:
    node = Node(reads_s=20e6)
    pace = node.pace(PaceSettings(write_bytes_s=4 * MIB, busy_write_bytes_s=8 * MIB))
    node.clock.wait(0.1)
    assert install(node, pace, 40) == pytest.approx(10, rel=0.02)


def test_readers_do_not_matter_without_a_bound_for_them() -> None:
    node = Node(reads_s=20e6)
    pace = node.pace(PaceSettings(busy_write_bytes_s=0))
    assert install(node, pace, 100, chunk_s=0.1) == pytest.approx(10)


def test_install_pauses_while_the_load_is_high() -> None:
    node = Node(load=5.2)
    pace = node.pace(PaceSettings())

    def tell(why: str) -> None:
        node.told.append(why)
        if len(node.told) == 30:
            node.load = 1.0

    pace.hold(MIB, lambda: False, tell)
    assert node.told == ["load 5.2 above 4.0"] * 30 + [""]
    assert node.clock.now_s() == pytest.approx(30)


def test_install_on_a_node_that_is_always_loaded_comes_to_its_end() -> None:
    node = Node(load=50.0)
    pace = node.pace(PaceSettings(pause_most_s=60))
    took_s = install(node, pace, 40, chunk_s=0.5)
    # a minute, then twenty seconds of work, five of each half minute
    assert took_s == pytest.approx(60 + 3 * 30 + 5, abs=3)
    assert node.told.count("") == 4


@pytest.mark.parametrize(
    ("load", "settings"),
    [(99.0, PaceSettings()), (0.0, PaceSettings(write_bytes_s=MIB))],
    ids=["paused", "spread"],
)
def test_install_that_is_held_up_can_be_cancelled(load: float, settings: PaceSettings) -> None:
    node = Node(load=load)
    with pytest.raises(OperatorError) as caught:
        node.pace(settings).hold(10 * MIB, lambda: True, node.told.append)
    assert caught.value.code is Code.CANCELLED
    assert node.clock.waits == []
