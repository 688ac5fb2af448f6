# SPDX-License-Identifier: Apache-2.0
"""What a policy may say of its waves."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rollouts.rules import MAX_WAVES, RolloutRules

WHOLE = {
    "waves": [{"percent": 1}, {"hosts": 500}, {"percent": 50}],
    "pauseSeconds": 3600,
    "maxFailed": 5,
    "maxFailedPercent": 10,
    "maxAtOnce": 100,
}


@pytest.mark.parametrize("stored", [WHOLE, {"waves": [{"percent": 100}]}])
def test_rules_are_stored_as_they_were_read(stored: dict[str, Any]) -> None:
    rules = RolloutRules.load(stored)
    assert RolloutRules.load(rules.stored()) == rules
    assert rules.stored() == {"pauseSeconds": 0, **stored}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"waves": []}, "rollout.waves: .*at least 1 item"),
        ({"waves": [{"percent": 1 + n} for n in range(MAX_WAVES + 1)]}, "rollout.waves: .*at most"),
        ({"waves": [{}]}, "rollout.waves.0: a wave has either percent or hosts"),
        ({"waves": [{"percent": 1, "hosts": 1}]}, "either percent or hosts"),
        ({"waves": [{"percent": 0}]}, "rollout.waves.0.percent: .*greater than or equal to 1"),
        ({"waves": [{"percent": 101}]}, "rollout.waves.0.percent"),
        ({"waves": [{"percent": 2.5}]}, "rollout.waves.0.percent"),
        ({"waves": [{"percent": "5"}]}, "rollout.waves.0.percent"),
        ({"waves": [{"share": 100}]}, "rollout.waves.0.share: .*not permitted"),
        ({"waves": [{"percent": 5}, {"percent": 5}]}, "wave 2 goes no further than one before it"),
        ({"waves": [{"hosts": 5}, {"percent": 9}, {"hosts": 4}]}, "wave 3 goes no further"),
        ({"waves": [{"percent": 100}, {"hosts": 5}]}, "wave 2 comes after one that reaches every"),
        ({"pauseSeconds": -1}, "rollout.pauseSeconds"),
        ({"maxFailed": -1}, "rollout.maxFailed"),
        ({"maxFailed": True}, "rollout.maxFailed"),
        ({"maxFailedPercent": 100}, "rollout.maxFailedPercent: .*less than 100"),
        ({"maxAtOnce": 0}, "rollout.maxAtOnce"),
        ({"max_at_once": 5}, "rollout.max_at_once: .*not permitted"),
    ],
)
def test_nonsense_is_refused_by_its_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OrchestratorError, match=said) as refused:
        RolloutRules.load({**WHOLE, **changes})
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_every_broken_rule_is_told() -> None:
    with pytest.raises(OrchestratorError, match=r"rollout\.maxFailed: .*; rollout\.maxAtOnce: "):
        RolloutRules.load({**WHOLE, "maxFailed": -1, "maxAtOnce": 0})


def test_schema_shows_no_null_and_no_default_for_what_may_be_left_out() -> None:
    schema = RolloutRules.model_json_schema()
    for name in ("maxFailed", "maxFailedPercent", "maxAtOnce"):
        assert schema["properties"][name]["type"] == "integer"
        assert "default" not in schema["properties"][name]
