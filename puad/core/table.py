# SPDX-License-Identifier: Apache-2.0
"""The transition table: which rule answers which event in which state, and where it may lead.

Rules register themselves with `@on`. A row names every state that its rule may lead to; the
diagram of docs/architecture.md is drawn from these rows, and `puad.core.machine.step` holds each
rule to them. A pair that has no row is a bug of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from puad.core.actions import Actions
from puad.core.run import Run, State

Rule = Callable[[Run, Any], tuple[Run, Actions]]


class OutOfOrderError(RuntimeError):
    """An event came in a state that has no row for it, or a rule left its row: a bug."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    rule: Rule
    targets: frozenset[State]


TABLE: Final[dict[tuple[State, type], Row]] = {}


def on(
    states: State | Iterable[State], event: type, *, to: Iterable[State] = ()
) -> Callable[[Rule], Rule]:
    """Register a rule for an event in some states.

    Args:
        states: The state, or states, in which it answers.
        event: The event's class.
        to: States that it may lead to; staying where it is needs no mention.
    """
    sources = (states,) if isinstance(states, State) else tuple(states)
    targets = frozenset(to)

    def register(rule: Rule) -> Rule:
        for state in sources:
            if (state, event) in TABLE:
                raise OutOfOrderError(f"two rules for {event.__name__} in {state}")
            TABLE[state, event] = Row(rule, targets | {state})
        return rule

    return register


def stay(run: Run, _event: object) -> tuple[Run, Actions]:
    """The rule for an event that changes nothing in its state."""
    return run, ()
