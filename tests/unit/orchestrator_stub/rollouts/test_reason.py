# SPDX-License-Identifier: Apache-2.0
"""Why a rollout does not go on, as a record has it and as a person reads it."""

from __future__ import annotations

import pytest

from orchestrator_stub.records import Rollout
from orchestrator_stub.rollouts import reason
from orchestrator_stub.vocabulary import RolloutState

PAUSED, STOPPED = RolloutState.PAUSED, RolloutState.STOPPED


def test_reason_says_who_and_why() -> None:
    assert reason.by(PAUSED, "ada", "") == "Paused by ada"
    assert reason.by(STOPPED, "API token nightly", " it\n smokes ") == (
        "Stopped by API token nightly: it smokes"
    )


@pytest.mark.parametrize(
    ("state", "stored", "told"),
    [
        (RolloutState.RUNNING, "", ("Running", "")),
        (RolloutState.DONE, "", ("Done", "")),
        (PAUSED, "Paused by ada", ("Paused", " by ada")),
        (PAUSED, "Paused by ada: it smokes", ("Paused", " by ada: it smokes")),
        (STOPPED, "Stopped by ada", ("Stopped", " by ada")),
        (
            STOPPED,
            "3 of 10 hosts of wave 1 failed; the policy allows 2",
            ("Stopped", ": 3 of 10 hosts of wave 1 failed; the policy allows 2"),
        ),
        (
            STOPPED,
            "Superseded: the policy wants 3.0 now; until then: Paused by ada: no",
            ("Superseded", ": the policy wants 3.0 now; until then: Paused by ada: no"),
        ),
        (STOPPED, "Withdrawn: it breaks", ("Withdrawn", ": it breaks")),
        (STOPPED, "Withdrawnish", ("Stopped", ": Withdrawnish")),
    ],
)
def test_reason_is_told_after_one_word(
    state: RolloutState, stored: str, told: tuple[str, str]
) -> None:
    assert reason.told(Rollout(state=state, reason=stored)) == told
