# SPDX-License-Identifier: Apache-2.0
"""Why a slot was left: what the node says when it is back, from the evidence that there is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from puad.core.errors import Code
from puad.core.events import Started
from puad.core.machine import step
from puad.core.model import Assessment, BootRecord, ProbeResult, Trail, Verdict
from puad.core.past_run import dump_past_run, load_past_run, past_run
from puad.core.report import status_report
from puad.core.rules.causes import MOST_LINES, MOST_LOG_CHARS, cause_of, wants_trail
from puad.core.run import Cause, Rules, Run, State
from puad.core.snapshot import dump_run, load_run
from tests.unit.core.run.conftest import World

MOUNT = "systemd: Dependency failed for srv.mount."
GIVEN_UP = BootRecord("boot-2", "emergency", ("systemd: one", MOUNT, "puad-boot-failed: given up"))
LATE = BootRecord("boot-3", "deadline", ("systemd: Starting till.service",))
SILENT = BootRecord("boot-3", "", ("kernel: random: crng init done",))
PANIC = ("[ 1.0] CPU: 0", "[ 1.1] Kernel panic - not syncing: no init", "[ 1.2] end")


def back(world: World, trail: Trail | None, verdict: Verdict | None = None) -> Run:
    """The node has come back to slot a after all tries."""
    facts = world.facts(boot_id="boot-9", tries_left=0, tries_done=3)
    facts = replace(facts, trail=trail, verdict=verdict)
    run, _ = step(world.run(State.ARMED), Started(world.moment(), facts, Rules()))
    assert run.state is State.ROLLED_BACK
    return run


def cause(world: World, trail: Trail | None, verdict: Verdict | None = None) -> Cause:
    found = back(world, trail, verdict).cause
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("trail", "code", "reason", "texts"),
    [
        (None, Code.NEVER_HEALTHY, "bootloader", ["Inferred", "3 of 3 tries used"]),
        (Trail(), Code.NEVER_STARTED, "bootloader", ["Inferred", "3 of 3 tries used", "root"]),
        (Trail((SILENT,)), Code.NEVER_HEALTHY, "bootloader", ["Inferred", "3 of 3", "hung"]),
        (Trail((GIVEN_UP,)), Code.EMERGENCY_MODE, "criticalservices", ["emergency mode", MOUNT]),
        (
            Trail((replace(GIVEN_UP, reason="rescue", lines=()),)),
            Code.EMERGENCY_MODE,
            "criticalservices",
            ["Slot b went to rescue mode (3 of 3 tries used)"],
        ),
        (
            Trail((replace(GIVEN_UP, reason="newer-word"),)),
            Code.EMERGENCY_MODE,
            "criticalservices",
            ["emergency mode"],
        ),
        (Trail((LATE,)), Code.BOOT_DEADLINE, "criticalservices", ["not up in time", "3 of 3"]),
        (Trail((), PANIC), Code.KERNEL_PANIC, "bootloader", ["panicked (3 of 3", PANIC[1]]),
        (Trail((), ("[ 1.0] Oops",)), Code.KERNEL_PANIC, "bootloader", ["[ 1.0] Oops"]),
        # what was last counts, and a panic for more than an earlier boot that was given up
        (Trail((GIVEN_UP, LATE), PANIC), Code.BOOT_DEADLINE, "criticalservices", []),
        (Trail((GIVEN_UP, SILENT), PANIC), Code.KERNEL_PANIC, "bootloader", []),
        (Trail((GIVEN_UP, SILENT)), Code.EMERGENCY_MODE, "criticalservices", []),
    ],
)
def test_cause_comes_from_the_trail(
    world: World, trail: Trail | None, code: Code, reason: str, texts: list[str]
) -> None:
    run = back(world, trail)

    assert run.cause is not None
    assert run.cause.code is code
    for text in texts:
        assert text in run.cause.text
    (entry,) = json.loads(status_report(run).status_detail)["update_log"]
    assert (entry["status"], entry["failure_reason"]) == ("rolledback", reason)
    assert entry["failure_log"].startswith(f"{code}: {run.cause.text}")


def test_cause_that_is_inferred_says_so_and_no_other_does(world: World) -> None:
    trails = [None, Trail(), Trail((SILENT,)), Trail((GIVEN_UP,)), Trail((LATE,)), Trail((), PANIC)]
    inferred = [cause(world, trail).text.startswith("Inferred: ") for trail in trails]
    assert inferred == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("trail", "last"),
    [
        (Trail((GIVEN_UP,)), GIVEN_UP.lines[-1]),
        (Trail((LATE,)), LATE.lines[-1]),
        (Trail((SILENT,)), SILENT.lines[-1]),
        (Trail((), PANIC), PANIC[-1]),
        (Trail(), ""),
    ],
)
def test_cause_has_the_last_lines_and_tells_the_server_and_the_history(
    world: World, trail: Trail, last: str
) -> None:
    run = back(world, trail)
    assert run.cause is not None
    assert run.cause.log.endswith(last)

    (entry,) = json.loads(status_report(run).status_detail)["update_log"]
    stored, past = load_run(dump_run(run)), past_run(run, world.now)
    assert entry["failure_log"].endswith(last)
    assert stored.cause == run.cause
    assert stored.quarantine[-1].cause == run.cause
    assert past is not None
    assert load_past_run(dump_past_run(past)) == past


def probed(world: World, *probes: ProbeResult, image_id: str = "2") -> Verdict:
    return replace(world.verdict(good=False), probes=probes, image_id=image_id)


def failing(name: str, reason: str = "it did not pass", log_tail: str = "") -> ProbeResult:
    return ProbeResult(name, required=True, passed=False, reason=reason, log_tail=log_tail)


def test_cause_of_a_bad_verdict_has_the_probe_and_the_last_lines_of_both(world: World) -> None:
    boot = BootRecord("boot-2", "deadline", ("till: no paper",))
    verdict = probed(world, failing("required/till", "exit code 3", "checking\nno paper"))

    found = cause(world, Trail((boot, SILENT), PANIC), verdict)

    assert found.code is Code.PROBE_FAILED
    assert found.text == "Required probe required/till failed: exit code 3"
    assert found.log.splitlines() == [
        "till: no paper",
        "required/till: checking",
        "required/till: no paper",
    ]


def test_cause_of_an_image_that_is_not_the_promised_one(world: World) -> None:
    found = cause(world, None, probed(world, failing("image"), image_id="1.9"))

    assert found.code is Code.WRONG_IMAGE_BOOTED
    assert found.text == "Slot b runs image 1.9, not 2"


def test_cause_of_an_image_that_is_not_of_the_promised_profile(world: World) -> None:
    verdict = replace(probed(world, failing("image")), profile="kiosk")

    found = cause(world, None, verdict)

    assert found.code is Code.WRONG_IMAGE_BOOTED
    assert found.text == "Slot b runs profile kiosk, not edge"


@pytest.mark.parametrize(
    ("probe", "image_id"), [("image", "2"), ("image", ""), ("agent", "1.9"), ("agent", "2")]
)
def test_cause_of_another_probe_is_the_probe(world: World, probe: str, image_id: str) -> None:
    found = cause(world, None, probed(world, failing(probe), image_id=image_id))
    assert found.code is Code.PROBE_FAILED
    assert f"probe {probe} failed" in found.text


def test_cause_of_a_bad_verdict_without_a_probe_says_that(world: World) -> None:
    assert "names no required probe" in cause(world, None, probed(world)).text


def test_cause_is_bounded_whatever_another_system_has_left(world: World) -> None:
    loud = tuple("x" * 200 for _ in range(500))
    many = probed(world, *(failing(f"p{n}", "r" * 512, "t\n" * 5000) for n in range(99)))
    for found in (
        cause(world, Trail((replace(GIVEN_UP, lines=(MOUNT * 200, *loud)),))),
        cause(world, Trail((), ("Kernel panic" * 999,))),
        cause(world, Trail((replace(SILENT, boot_id="boot-2", lines=loud),)), many),
    ):
        assert len(found.text) <= 1000
        assert len(found.log) <= MOST_LOG_CHARS
        assert len(found.log.splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    ("counted", "text"),
    [
        ({"tries_left": 0, "tries_done": 3}, " (3 of 3 tries used)"),
        ({"tries_left": 1, "tries_done": 2}, " (2 of 3 tries used)"),
        ({"tries_left": 0}, " (3 of 3 tries used)"),  # the boot loader counts down only
        ({"tries_left": None, "tries_done": None}, ""),
    ],
)
def test_cause_tells_how_many_tries_were_used(
    world: World, counted: dict[str, Any], text: str
) -> None:
    facts = replace(world.facts(boot_id="boot-9", **counted), trail=Trail((SILENT,)))
    found = cause_of(world.run(State.ARMED), facts, world.now)
    assert found.text.startswith(f"Inferred: slot b hung or was reset{text}; ")


def test_cause_on_a_slot_that_is_gone_counts_nothing(world: World) -> None:
    facts = replace(world.facts(boot_id="boot-9"), slots=())
    assert "tries" not in cause_of(world.run(State.ARMED), facts, world.now).text


def test_trail_is_wanted_after_a_fallback_only(world: World) -> None:
    fallback = world.facts(boot_id="boot-9", tries_left=0, tries_done=3)
    armed = world.run(State.ARMED)

    assert wants_trail(armed, fallback) == ("b", "boot-1")
    assert wants_trail(world.run(State.ASSESSING), fallback) == ("b", "boot-1")
    assert wants_trail(armed, world.in_b()) is None
    assert wants_trail(armed, world.facts(boot_id="boot-1")) is None
    assert wants_trail(armed.with_goal(undo=True), fallback) is None
    assert wants_trail(armed.with_goal(armed_in=""), fallback) is None
    assert wants_trail(world.run(State.ROLLED_BACK), fallback) is None


def test_trail_is_wanted_without_a_known_arming_when_the_run_is_lost(world: World) -> None:
    tried = world.facts(tries_left=0, tries_done=3)

    assert wants_trail(Run(), tried) == ("b", "")
    assert wants_trail(Run(), world.facts()) is None
    good = world.facts(tries_done=3, assessment=Assessment.GOOD)
    assert wants_trail(Run(), good) is None
    assert wants_trail(Run(), replace(tried, slots=tried.slots[:1])) is None
