# SPDX-License-Identifier: Apache-2.0
"""The state machine: `step(run, event) -> (run, actions)`, a pure function over one table.

Rules that hold for whoever drives it (docs/architecture.md):

1. Time and chance enter only inside events.
2. The driver persists the new run before it performs the actions; every action is idempotent.
3. After each start no plan and no time is fed before `Started`, which is made from facts on the
   machine; a call to the server that failed may come before it.
4. A change of state is told to the server: every such step ends with `Ask`. Only when UPDATED has
   been taken, UP_TO_DATE waits for the next poll, so that whoever looks at the server sees UPDATED.
5. Operator events are fed only when `puad.core.rules.operator.refusal` has nothing against them.
"""

from __future__ import annotations

from puad.core import rules  # fills the table
from puad.core.actions import Actions, Ask
from puad.core.events import Event
from puad.core.run import Run, State
from puad.core.table import TABLE, OutOfOrderError

__all__ = ["OutOfOrderError", "rules", "step"]


def step(run: Run, event: Event) -> tuple[Run, Actions]:
    """What the node does next.

    Args:
        run: What it is doing now.
        event: What has been learnt.

    Returns:
        The run afterwards, to be persisted, and the actions to perform then, in order.

    Raises:
        OutOfOrderError: The event has no place in this state: a bug of the caller.
    """
    row = TABLE.get((run.state, type(event)))
    if row is None:
        raise OutOfOrderError(f"{type(event).__name__} has no rule in {run.state}")
    after, actions = row.rule(run, event)
    if after.state not in row.targets:
        raise OutOfOrderError(f"{type(event).__name__} led from {run.state} to {after.state}")
    if _is_news(run, after) and Ask() not in actions:
        actions = (*actions, Ask())
    return after, actions


def _is_news(before: Run, after: Run) -> bool:
    told_by_next_poll = before.state is State.DONE and after.state is State.IDLE
    return (after.state is not before.state or begins(before, after)) and not told_by_next_poll


def begins(before: Run, after: Run) -> bool:
    """Whether another update run begins with this step."""
    if after.goal is None:
        return False
    return before.goal is None or before.goal.run_id != after.goal.run_id
