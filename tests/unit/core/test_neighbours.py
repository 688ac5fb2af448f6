# SPDX-License-Identifier: Apache-2.0
"""What everything else on the node asks of it, without what the install asks itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from puad.core.neighbours import Neighbours, Reading

MIB = 1 << 20
FIRST = Reading(
    at_s=100.0,
    processors=2,
    load=0.0,
    own_cpu_s=5.0,
    stall_s=50.0,
    own_stall_s=20.0,
    read_bytes=10**12,
    own_read_bytes=10**9,
)


def after(
    seconds: int, *, first: Reading = FIRST, load: float = 0.0, **each_s: float
) -> Neighbours:
    """What is known after so many readings, a second apart, with this growth in each."""
    neighbours, reading = Neighbours(first), first
    for _ in range(seconds):
        grown = {name: getattr(reading, name) + growth for name, growth in each_s.items()}
        reading = replace(reading, at_s=reading.at_s + 1, load=load, **grown)
        neighbours.saw(reading)
    return neighbours


def test_load_of_others_is_told_by_the_processor() -> None:
    assert after(1, load=3.0).load_percent == pytest.approx(150)
    assert Neighbours(replace(FIRST, load=8.0)).load_percent == pytest.approx(400)


def test_load_of_an_install_is_not_that_of_others() -> None:
    # it computes on one and a half processors and waits for the disk half of the time
    neighbours = after(300, load=2.0, own_cpu_s=1.5, own_stall_s=0.5, stall_s=0.5)
    assert neighbours.load_percent == pytest.approx(0, abs=2)
    neighbours = after(300, load=7.0, own_cpu_s=1.5, own_stall_s=0.5, stall_s=0.5)
    assert neighbours.load_percent == pytest.approx(250, abs=2)


def test_own_load_sinks_as_slowly_as_the_kernels_average() -> None:
    neighbours = Neighbours(FIRST)
    neighbours.saw(replace(FIRST, at_s=160.0, load=0.64, own_cpu_s=65.0))
    # one processor for a minute: the kernel's average has come to 1 - 1/e
    assert neighbours.load_percent == pytest.approx(0, abs=1)


def test_pressure_of_an_install_is_not_that_of_others() -> None:
    assert after(60, stall_s=0.9, own_stall_s=0.9).io_pressure_percent == pytest.approx(0, abs=0.1)
    assert after(60, stall_s=0.9, own_stall_s=0.5).io_pressure_percent == pytest.approx(40, abs=1)


def test_pressure_follows_within_half_a_minute() -> None:
    assert after(2, stall_s=1.0).io_pressure_percent < 20
    assert after(30, stall_s=1.0).io_pressure_percent > 90


@pytest.mark.parametrize(
    ("read", "own", "busy"),
    [
        (0, 0, False),
        (100 * MIB, 100 * MIB, False),
        (105 * MIB, 100 * MIB, False),  # what is read in this second may have been asked for before
        (20 * MIB, 0, True),
        (120 * MIB, 100 * MIB, True),
        (1 << 17, 0, False),  # somebody's log
        (0, 100 * MIB, False),  # a file in memory
    ],
)
def test_disks_are_read_by_others_when_more_is_read_than_the_install_reads(
    read: int, own: int, busy: bool
) -> None:
    neighbours = after(5, read_bytes=read, own_read_bytes=own)
    assert neighbours.read_disks is busy


def test_disks_that_were_read_are_at_rest_three_seconds_later() -> None:
    reading = replace(FIRST, at_s=101.0, read_bytes=10**12 + 20 * MIB)
    neighbours = Neighbours(FIRST)
    neighbours.saw(reading)
    busy = []
    for quarter in range(1, 17):
        neighbours.saw(replace(reading, at_s=101.0 + quarter / 4))
        busy.append(neighbours.read_disks)
    assert busy == [True] * 11 + [False] * 5


def test_start_of_a_program_is_no_reader_and_a_slow_one_is_noticed() -> None:
    assert not after(1, read_bytes=400 << 10).read_disks
    assert not after(1, read_bytes=300 << 10).read_disks
    assert after(10, read_bytes=300 << 10).read_disks


@pytest.mark.parametrize(
    ("missing", "pressure", "reads"),
    [
        ("stall_s", False, True),
        ("own_stall_s", False, True),
        ("read_bytes", True, False),
        ("own_read_bytes", True, False),
    ],
)
def test_figure_that_the_kernel_does_not_tell_holds_nothing_up(
    missing: str, pressure: bool, reads: bool
) -> None:
    gap: dict[str, Any] = {missing: None}
    without = replace(FIRST, **gap)
    growing = {"stall_s": 1.0, "read_bytes": 20 * MIB}
    growing.pop(missing, None)
    neighbours = after(30, first=without, **growing)
    assert (neighbours.io_pressure_percent > 0) is pressure
    assert neighbours.read_disks is reads


def test_node_that_tells_nothing_has_quiet_neighbours() -> None:
    neighbours = Neighbours(Reading(1.0))
    neighbours.saw(Reading(2.0))
    assert (neighbours.load_percent, neighbours.io_pressure_percent) == (0, 0)
    assert not neighbours.read_disks


def test_two_readings_of_one_moment_say_nothing_new() -> None:
    neighbours = Neighbours(FIRST)
    neighbours.saw(replace(FIRST, stall_s=60.0, read_bytes=2 * 10**12))
    assert neighbours.io_pressure_percent == 0
    assert not neighbours.read_disks
