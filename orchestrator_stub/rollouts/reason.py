# SPDX-License-Identifier: Apache-2.0
"""The reason of a rollout that does not go on: who has paused or stopped it, or what has.

| reason of the record | read as |
|---|---|
| `Paused by ada: the shops call` | *Paused* by ada: the shops call |
| `3 of 10 hosts of wave 1 failed; the policy allows 2` | *Stopped*: 3 of 10 hosts … |
| `Superseded: the policy wants 1.10.0 now` | *Superseded*: the policy wants … |
"""

from __future__ import annotations

import re
from typing import Final

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Rollout
from orchestrator_stub.vocabulary import RolloutState

MAX_REASON_CHARS: Final = 200

WORDS: Final = {
    RolloutState.RUNNING: "Running",
    RolloutState.PAUSED: "Paused",
    RolloutState.STOPPED: "Stopped",
    RolloutState.DONE: "Done",
}
_SELF_TOLD: Final = re.compile(r"(Paused|Stopped|Superseded|Withdrawn)((?: by |: ).*)", re.DOTALL)


def by(state: RolloutState, who: str, said: str) -> str:
    """The reason when somebody has paused or stopped a rollout.

    Args:
        state: What it is now.
        who: Who has done it.
        said: Why, in their words; may be empty.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, when that is not one short line of text.
    """
    line = " ".join(said.split())
    if len(line) > MAX_REASON_CHARS or not line.isprintable():
        raise OrchestratorError(
            Code.INVALID_ARGUMENT,
            f"a reason is one line of text, of at most {MAX_REASON_CHARS} characters",
        )
    return f"{WORDS[state]} by {who}{f': {line}' if line else ''}"


def told(rollout: Rollout) -> tuple[str, str]:
    """How a rollout stands, in one word, and what follows that word to say why."""
    found = _SELF_TOLD.fullmatch(rollout.reason)
    if found:
        return found[1], found[2]
    return WORDS[rollout.state], f": {rollout.reason}" if rollout.reason else ""
