# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator_stub.release.errors import UsageError
from orchestrator_stub.release.roles import (
    DEFAULT_PLANS,
    Role,
    is_near,
    parse_validity,
    plan_roles,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_plan_roles_without_words_is_the_default() -> None:
    assert plan_roles([], [], []) == dict(DEFAULT_PLANS)


def test_plan_roles_default_root_survives_the_loss_of_one_key() -> None:
    plan = DEFAULT_PLANS[Role.ROOT]
    assert 1 < plan.threshold < plan.key_count


def test_plan_roles_each_word_changes_its_role_alone() -> None:
    plans = plan_roles(["targets=3"], ["targets=2"], ["timestamp=36h"])
    assert (plans[Role.TARGETS].key_count, plans[Role.TARGETS].threshold) == (3, 2)
    assert plans[Role.TIMESTAMP].validity == timedelta(hours=36)
    assert plans[Role.ROOT] == DEFAULT_PLANS[Role.ROOT]
    assert plans[Role.SNAPSHOT] == DEFAULT_PLANS[Role.SNAPSHOT]


def test_plan_roles_threshold_up_to_the_default_keys_is_taken() -> None:
    plan = plan_roles([], ["root=3"], [])[Role.ROOT]
    assert (plan.key_count, plan.threshold) == (3, 3)


@pytest.mark.parametrize(
    ("counts", "thresholds", "other"),
    [
        ([], ["root=5"], "--key-count root=5"),
        (["root=4"], ["root=5"], "--key-count root=5"),
        ([], ["targets=2"], "--key-count targets=2"),
        (["root=1"], [], "--threshold root=1"),
        ([], ["root=1"], "--key-count root=3"),
    ],
)
def test_plan_roles_half_given_numbers_are_refused_naming_the_other_option(
    counts: list[str], thresholds: list[str], other: str
) -> None:
    with pytest.raises(UsageError) as refused:
        plan_roles(counts, thresholds, [])
    assert other in refused.value.hint


def test_plan_roles_single_root_signature_is_taken_when_both_are_given() -> None:
    plan = plan_roles(["root=1"], ["root=1"], [])[Role.ROOT]
    assert (plan.key_count, plan.threshold) == (1, 1)


@pytest.mark.parametrize(
    ("counts", "thresholds", "validities"),
    [
        (["targets=1"], ["targets=2"], []),
        (["mirror=1"], [], []),
        (["root"], [], []),
        (["root="], [], []),
        (["root=0"], [], []),
        (["root=17"], [], []),
        (["root=-1"], [], []),
        (["root=٣"], [], []),
        ([], ["root=two"], []),
        ([], [], ["root=1"]),
        ([], [], ["snapshot=0d"]),
    ],
)
def test_plan_roles_words_that_do_not_fit_are_refused(
    counts: list[str], thresholds: list[str], validities: list[str]
) -> None:
    with pytest.raises(UsageError):
        plan_roles(counts, thresholds, validities)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30min", 1800), ("12h", 43200), ("3650d", 315_360_000)]
)
def test_parse_validity_units(text: str, seconds: int) -> None:
    assert parse_validity(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "d", "90 d", "0d", "-1d", "1.5d", "3651d", "999999999d", "1w", "९d"]
)
def test_parse_validity_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_validity(text)


def test_is_near_only_below_the_part() -> None:
    validity = timedelta(days=8)
    assert not is_near(NOW + timedelta(days=4), validity, NOW, part=2)
    assert is_near(NOW + timedelta(days=4, seconds=-1), validity, NOW, part=2)
    assert is_near(NOW - timedelta(days=1), validity, NOW, part=2)
