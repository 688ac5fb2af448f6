# SPDX-License-Identifier: Apache-2.0
"""Rollouts whose image their policy does not want: ended by the server, taken up again by it.

A newer image, or a withdrawal, ends a rollout that goes on. When its image is wanted again, because
the newer one was withdrawn, it goes on where it was: paused, if it was paused.
"""

from __future__ import annotations

from typing import Final

from orchestrator_stub.os_resources import Image
from orchestrator_stub.records import Rollout
from orchestrator_stub.vocabulary import RolloutState

# no reason of an operator begins with these words: `reason` says who first
_SUPERSEDED: Final = "Superseded: "
_WITHDRAWN: Final = "Withdrawn: "
_WHILE_PAUSED: Final = "; until then: "


def is_by_server(rollout: Rollout) -> bool:
    """Whether a rollout was ended because its policy wants another image, or none."""
    by_server = rollout.reason.startswith((_SUPERSEDED, _WITHDRAWN))
    return rollout.state is RolloutState.STOPPED and by_server


def end(rollout: Rollout, image: Image | None, wanted: Image | None, now_s: int) -> None:
    """End a rollout that goes on although its image is not wanted.

    Args:
        rollout: It, running or paused.
        image: Its image.
        wanted: What the policy wants of the same profile now.
        now_s: The time.
    """
    if image is not None and image.withdrawn_reason is not None:
        reason = f"{_WITHDRAWN}{image.withdrawn_reason or 'no reason is given'}"
    elif wanted is not None:
        reason = f"{_SUPERSEDED}the policy wants {wanted.image_id} now"
    else:
        reason = f"{_SUPERSEDED}the policy wants no image now"
    if rollout.state is RolloutState.PAUSED:
        reason += _WHILE_PAUSED + rollout.reason
    rollout.state, rollout.reason, rollout.end_s = RolloutState.STOPPED, reason, now_s


def take_up(rollout: Rollout) -> None:
    """Go on with a rollout whose image is wanted again."""
    _, was_paused, reason = rollout.reason.partition(_WHILE_PAUSED)
    rollout.state = RolloutState.PAUSED if was_paused else RolloutState.RUNNING
    rollout.reason, rollout.end_s = reason, 0
