# SPDX-License-Identifier: Apache-2.0
"""What the maintenance manager is told in each state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from puad.core.errors import Code, FailureReason
from puad.core.report import status_report, wire_status
from puad.core.run import Cause, Hold, Quarantined, State
from puad.core.update_log import LogStatus, parse_detail
from puad.core.wire import StatusType
from tests.unit.core.run.conftest import NOW, World

WORDS = {
    State.IDLE: StatusType.UP_TO_DATE,
    State.DOWNLOADING: StatusType.DOWNLOADING,
    State.STAGED: StatusType.DOWNLOADED,
    State.ARMED: StatusType.STARTED,
    State.ASSESSING: StatusType.STARTED,
    State.ROLLED_BACK: StatusType.FAILED,
    State.FAILED: StatusType.FAILED,
}


@pytest.mark.parametrize("state", WORDS)
def test_wire_status_of_each_state(world: World, state: State) -> None:
    assert wire_status(world.run(state)) is WORDS[state]


def test_wire_status_done_is_updated_until_it_is_taken(world: World) -> None:
    assert wire_status(world.run(State.DONE, told=False)) is StatusType.UPDATED
    assert wire_status(world.run(State.DONE, told=True)) is StatusType.UP_TO_DATE


def test_report_success_that_is_only_remembered_is_not_told(world: World) -> None:
    report = status_report(world.run(State.DONE, told=False, facts=None))

    assert (report.status_type, report.status_detail) == (StatusType.STARTED, "")


def test_report_idle_is_failed_while_the_wanted_image_is_quarantined(world: World) -> None:
    entry = Quarantined(world.offer.file_hash, "2", world.cause())

    report = status_report(world.run(State.IDLE, quarantine=(entry,)))

    (log,) = parse_detail(report.status_detail)
    assert report.status_type is StatusType.FAILED
    assert (log.status, log.version) == (LogStatus.ROLLEDBACK, "2")


def test_report_of_a_rollback_names_its_cause(world: World) -> None:
    report = status_report(world.run(State.ROLLED_BACK))

    (log,) = parse_detail(report.status_detail)
    assert (log.status, log.failure_reason) == (
        LogStatus.ROLLEDBACK,
        FailureReason.CRITICAL_SERVICES,
    )
    assert log.failure_log == "probe-failed: it went wrong"
    assert (report.profile_name, report.os_image_id) == ("edge", "1")


def test_report_of_a_failure_is_no_rollback(world: World) -> None:
    (log,) = parse_detail(status_report(world.run(State.FAILED)).status_detail)

    assert log.status is LogStatus.FAILED


def test_report_of_success_has_the_verdicts_time(world: World) -> None:
    verdict = world.verdict(good=True)
    facts = replace(world.in_b(), verdict=verdict)

    report = status_report(world.run(State.DONE, facts=facts, told=False))

    (log,) = parse_detail(report.status_detail)
    assert (log.status, log.update_time) == (LogStatus.INSTALLED, verdict.finished_at)


def test_report_of_success_without_a_verdict_has_no_time(world: World) -> None:
    report = status_report(world.run(State.DONE, facts=world.facts()))

    (log,) = parse_detail(report.status_detail)
    assert log.update_time is None
    assert report.os_image_id == "1"


def test_report_has_no_detail_when_all_is_well(world: World) -> None:
    assert status_report(world.run(State.STAGED)).status_detail == ""


def test_report_progress_only_while_downloading(world: World) -> None:
    downloading = status_report(world.run(State.DOWNLOADING), progress_percent=7)
    staged = status_report(world.run(State.STAGED), progress_percent=7)

    assert (downloading.progress_percent, staged.progress_percent) == (7, None)


@pytest.mark.parametrize("state", [State.IDLE, State.DOWNLOADING, State.FAILED])
def test_report_trouble_is_a_failure_with_its_cause(world: World, state: State) -> None:
    trouble = Cause(Code.DISK_FULL, "no room", world.now)

    report = status_report(world.run(state), trouble=trouble)

    (log,) = parse_detail(report.status_detail)
    assert report.status_type is StatusType.FAILED
    assert log.failure_reason is FailureReason.INSUFFICIENT_STORAGE


def test_report_trouble_without_a_plan_names_no_version(world: World) -> None:
    trouble = Cause(Code.DISK_FULL, "no room", world.now)
    run = replace(world.run(State.IDLE), plan=replace(world.plan(), offer=None))

    (log,) = parse_detail(status_report(run, trouble=trouble).status_detail)

    assert log.version == ""


@pytest.mark.parametrize("state", [State.ARMED, State.ASSESSING])
def test_report_trouble_does_not_hide_a_reboot(world: World, state: State) -> None:
    trouble = Cause(Code.DISK_FULL, "no room", world.now)

    report = status_report(world.run(state), trouble=trouble)

    assert report.status_type is StatusType.STARTED


@pytest.mark.parametrize(
    ("state", "goal", "step", "phase"),
    [
        (State.IDLE, {}, "", ""),
        (State.DOWNLOADING, {}, "", "preparing"),
        (State.DOWNLOADING, {}, "fetch", "writing"),
        (State.DOWNLOADING, {}, "seal", "sealing"),
        (State.DOWNLOADING, {"retry_at": NOW}, "", "waiting to try again"),
        (State.STAGED, {}, "", "waiting for the window"),
        (State.STAGED, {"by_operator": True}, "", "about to reboot"),
        (State.STAGED, {"hold": Hold("backup", NOW)}, "", "held at the node"),
        (State.STAGED, {"hold": Hold("backup", NOW, NOW)}, "", "waiting for the window"),
        (State.ARMED, {}, "", "rebooting"),
        (State.ASSESSING, {}, "", "assessing"),
        (State.DONE, {}, "", ""),
        (State.FAILED, {}, "", ""),
    ],
)
def test_report_phase_says_what_the_node_does(
    world: World, state: State, goal: dict[str, Any], step: str, phase: str
) -> None:
    run = world.run(state)
    if run.goal is not None:
        run = replace(run, goal=world.goal(**goal))

    assert status_report(run, step=step).phase == phase


def test_report_phase_is_silent_in_trouble(world: World) -> None:
    trouble = Cause(Code.DISK_FULL, "no room", world.now)

    report = status_report(world.run(State.DOWNLOADING), trouble=trouble, step="fetch")

    assert report.phase == ""


def test_report_slots_are_those_of_the_facts(world: World) -> None:
    a, b = status_report(world.run(State.IDLE)).slots

    assert (a.name, a.image_id, a.state, a.assessment) == ("a", "1", "booted", "good")
    assert (b.name, b.state, b.assessment) == ("b", "inactive", "indeterminate")
    assert status_report(world.run(State.IDLE, facts=None)).slots == ()


def test_report_quarantine_is_what_waits_for_an_operators_word(world: World) -> None:
    entries = (
        Quarantined("9" * 64, "9", world.cause()),
        Quarantined("", world.offer.image_id, world.cause()),
        Quarantined("", "8", world.cause()),
    )
    run = world.run(State.IDLE, quarantine=entries, held="7" * 64)

    assert status_report(run).quarantine == ("9" * 64, world.offer.file_hash, "7" * 64)
    assert status_report(world.run(State.IDLE)).quarantine == ()
