# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from puad.core.health import (
    NOTHING_REQUIRED,
    complete,
    is_good,
    is_settled,
    may_reboot,
    reboot_reason,
    why_bad,
    why_failed,
)
from puad.core.model import Assessment, ProbeResult, Slot, SlotState, Verdict

_GOOD = Assessment.GOOD
_BAD = Assessment.BAD
_OPEN = Assessment.INDETERMINATE


def _probe(name: str, *, passed: bool, required: bool = True, reason: str = "") -> ProbeResult:
    return ProbeResult(name, required=required, passed=passed, reason=reason)


_YES = _probe("agent", passed=True)
_NO = _probe("disk", passed=False, reason="full")
_WANTED_NO = _probe("orchestrator", passed=False, required=False)
_WANTED_YES = _probe("orchestrator", passed=True, required=False)


@pytest.mark.parametrize(
    ("results", "good"),
    [
        ([_YES], True),
        ([_YES, _WANTED_NO], True),
        ([_YES, _NO], False),
        ([_NO], False),
        ([_WANTED_YES], False),
        ([], False),
    ],
)
def test_is_good_needs_a_required_probe_and_all_of_them(
    results: list[ProbeResult], *, good: bool
) -> None:
    assert is_good(results) is good


def test_complete_probe_without_result_has_failed() -> None:
    results = complete([_YES, _WANTED_NO], ["agent", "disk"])
    assert results[:2] == (_YES, _WANTED_NO)
    (missing,) = results[2:]
    assert (missing.name, missing.required, missing.passed) == ("disk", True, False)
    assert not is_good(results)


def test_complete_wanted_result_does_not_stand_for_the_required_one() -> None:
    results = complete([_YES, _WANTED_YES], ["agent", "orchestrator"])
    assert not is_good(results)


def test_complete_with_everything_there_adds_nothing() -> None:
    assert complete([_YES, _WANTED_NO], ["agent"]) == (_YES, _WANTED_NO)


@pytest.mark.parametrize("results", [[], [_WANTED_YES]])
def test_complete_nothing_required_is_not_good_by_accident(results: list[ProbeResult]) -> None:
    whole = complete(results, [])
    assert [result.name for result in whole if result.required] == [NOTHING_REQUIRED]
    assert not is_good(whole)


def _slots(a: Assessment, b: Assessment, tries_left: int | None = None) -> tuple[Slot, ...]:
    return (
        Slot("a", SlotState.INACTIVE, a),
        Slot("b", SlotState.BOOTED, b, tries_left=tries_left),
    )


@pytest.mark.parametrize(
    ("slots", "booted", "settled", "reboot"),
    [
        (_slots(_GOOD, _OPEN, tries_left=2), "b", False, True),
        (_slots(_GOOD, _OPEN, tries_left=0), "b", False, True),
        (_slots(_GOOD, _BAD), "b", False, True),
        (_slots(_GOOD, _GOOD), "b", True, False),
        (_slots(_BAD, _GOOD), "b", True, False),
        (_slots(_BAD, _OPEN), "b", False, False),
        (_slots(_OPEN, _OPEN), "b", False, False),
        (_slots(_GOOD, _OPEN), "c", False, False),
        ((Slot("b", SlotState.BOOTED, _OPEN),), "b", False, False),
        ((), "b", False, False),
    ],
)
def test_may_reboot_only_from_a_slot_not_good_to_one_that_is(
    slots: tuple[Slot, ...], booted: str, *, settled: bool, reboot: bool
) -> None:
    assert is_settled(slots, booted) is settled
    assert may_reboot(slots, booted) is reboot


def test_why_bad_names_required_probes_and_reasons_in_one_bounded_line() -> None:
    probes = (_YES, _NO, _probe("agent", passed=False, reason="two\nlines"), _WANTED_NO)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    verdict = Verdict("boot", "b", "13.2", good=False, probes=probes, finished_at=at)
    assert why_bad(verdict) == "disk: full; agent: two lines"
    long = Verdict("boot", "b", "13.2", good=False, probes=(_NO,) * 200, finished_at=at)
    assert len(why_bad(long)) == 512


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("full", "puad-health: disk: full"),
        ("two\nlines", "puad-health: disk: two lines"),
        ("\x1b[31mred\x00 \udcff\u202e", "puad-health: disk: \ufffd[31mred\ufffd \ufffd\ufffd"),
        ("x" * 161, "puad-health: disk: " + "x" * 161),
        ("x" * 162, "puad-health: disk: " + "x" * 160 + "\N{HORIZONTAL ELLIPSIS}"),
        ("\x07" * 500, "puad-health: disk: " + "\ufffd" * 160 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_reboot_reason_is_short_and_printable(reason: str, sent: str) -> None:
    probes = (_probe("disk", passed=False, reason=reason),)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    verdict = Verdict("boot", "b", "13.2", good=False, probes=probes, finished_at=at)
    assert reboot_reason(verdict) == sent
    assert len(sent) <= 180
    assert sent.isprintable()


@pytest.mark.parametrize(
    ("log_tail", "said"),
    [
        ("", "it ended with exit code 1"),
        ("one\n no camera\t\n\n", "it ended with exit code 1: no camera"),
        ("a\x1bb", "it ended with exit code 1: a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_why_failed_has_the_last_line_that_the_probe_printed(log_tail: str, said: str) -> None:
    probe = ProbeResult(
        "camera",
        required=False,
        passed=False,
        reason="it ended with exit code 1",
        log_tail=log_tail,
    )
    assert why_failed(probe) == said
