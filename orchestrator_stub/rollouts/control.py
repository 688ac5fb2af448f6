# SPDX-License-Identifier: Apache-2.0
"""Control: what an operator does with a rollout, and with an image that has failed.

Each change raises the project's revision, so every node is told of it with its next poll. A host
whose run has STARTED goes on to its end, whatever becomes of the rollout.
"""

from __future__ import annotations

import time

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Instance, Policy, Rollout, RolloutMember
from orchestrator_stub.rollouts import ending
from orchestrator_stub.rollouts import reason as reasons
from orchestrator_stub.rollouts.quarantine import release, release_everywhere
from orchestrator_stub.vocabulary import MemberState, RolloutState

__all__ = [
    "forget",
    "pause",
    "release",
    "release_everywhere",
    "resume",
    "stop",
]


def pause(session: Session, rollout: Rollout, who: str, reason: str = "") -> None:
    """Open no further window: what is offered may be downloaded, and no wave begins.

    Args:
        session: One that writes.
        rollout: It.
        who: Who does it, as operators know them.
        reason: Why, in their words.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, when it is not running.
    """
    _expect(rollout, "paused", RolloutState.RUNNING)
    rollout.state = RolloutState.PAUSED
    rollout.reason = reasons.by(rollout.state, who, reason)
    session.flush()


def resume(session: Session, rollout: Rollout) -> None:
    """Go on with a rollout that is paused or stopped.

    The failures that have stopped it count no more: only new ones stop it again.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, when it goes on or is done, or its image is not
            what the policy wants.
    """
    _expect(rollout, "resumed", RolloutState.PAUSED, RolloutState.STOPPED)
    if ending.is_by_server(rollout):
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"rollout {rollout.id} cannot be resumed: {rollout.reason}",
            hint="It goes on by itself when its policy wants that image again.",
        )
    if rollout.os.withdrawn_reason is not None:
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"rollout {rollout.id} cannot be resumed: {rollout.os.name} was withdrawn",
        )
    was_stopped = rollout.state is RolloutState.STOPPED
    rollout.state, rollout.reason, rollout.end_s = RolloutState.RUNNING, "", 0
    session.flush()
    if was_stopped:
        session.execute(
            update(RolloutMember)
            .where(
                RolloutMember.rollout_id == rollout.id,
                RolloutMember.state == MemberState.FAILED,
            )
            .values(accepted=True)
            .execution_options(synchronize_session="fetch")
        )


def stop(
    session: Session, rollout: Rollout, who: str, reason: str = "", now_s: int | None = None
) -> None:
    """Offer the image to nobody any more.

    Args:
        session: One that writes.
        rollout: It.
        who: Who does it, as operators know them.
        reason: Why, in their words.
        now_s: When; now, when it is not given.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, when it has ended already.
    """
    _expect(rollout, "stopped", RolloutState.RUNNING, RolloutState.PAUSED)
    rollout.state = RolloutState.STOPPED
    rollout.reason = reasons.by(rollout.state, who, reason)
    rollout.end_s = int(time.time()) if now_s is None else now_s
    session.flush()


def forget(session: Session, policy: Policy) -> None:
    """Delete the rollouts of a policy, as before it is deleted itself.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`, while the policy is linked to an instance: its
            image would begin anew.
    """
    if session.scalar(select(Instance.id).where(Instance.policy_id == policy.id).limit(1)):
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"the rollouts of {policy.id} cannot be deleted: it is linked to an instance",
        )
    mine = select(Rollout.id).where(Rollout.policy_id == policy.id)
    session.execute(delete(RolloutMember).where(RolloutMember.rollout_id.in_(mine)))
    session.execute(delete(Rollout).where(Rollout.policy_id == policy.id))


def _expect(rollout: Rollout, wish: str, *states: RolloutState) -> None:
    if rollout.state not in states:
        stands = rollout.state.removeprefix("ROLLOUT_STATE_").lower()
        raise OrchestratorError(
            Code.FAILED_PRECONDITION,
            f"rollout {rollout.id} cannot be {wish}: it is {stands}",
            hint="Look at it again: it may have moved on meanwhile.",
        )
