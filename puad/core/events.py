# SPDX-License-Identifier: Apache-2.0
"""Events: everything that the core ever learns.

Each event carries its `Moment`, the only way by which time and chance enter the core. The results
of actions carry the id of the run they were performed for, so that a late one is known as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from puad.core.errors import Code
from puad.core.model import Facts, Offer, Plan
from puad.core.run import Rules
from puad.core.wire import StatusType


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was learnt.

    Attributes:
        now: The node's time, UTC.
        clock_trusted: Whether that time is synchronised and above the clock floor.
        spread: A random number in [0, 1), drawn anew for each event.
    """

    now: datetime
    clock_trusted: bool = True
    spread: float = 0.0


class Step(StrEnum):
    """The kinds of work that may fail."""

    INSTALL = "install"
    DISARM = "disarm"
    ARM = "arm"
    MARK = "mark"
    REBOOT = "reboot"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Started:
    """The daemon has started: the first event, made from facts on the machine."""

    moment: Moment
    facts: Facts
    rules: Rules
    store_lost: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """The facts were read again."""

    moment: Moment
    facts: Facts


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class Answered:
    """The maintenance manager has answered.

    Attributes:
        plan: What it wants.
        taken: The status that it has taken with this answer.
        taken_run: The run whose status that was.
        clear_quarantine: File hashes that the operator released at the server.
    """

    moment: Moment
    plan: Plan
    taken: StatusType
    taken_run: str = ""
    clear_quarantine: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """The maintenance manager could not be asked, or its answer could not be used."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class Sealed:
    """The image lies on the slot, and boot control has verified and frozen it."""

    moment: Moment
    run_id: str
    min_version: str | None = None


@dataclass(frozen=True, slots=True)
class Consulted:
    """Whoever may defer the reboot was asked.

    Attributes:
        run_id: The run that it was asked for.
        held_by: Who defers it, and why; empty when nobody does.
    """

    moment: Moment
    run_id: str
    held_by: str = ""


@dataclass(frozen=True, slots=True)
class Armed:
    """The boot loader will try the goal's slot at the next boot."""

    moment: Moment
    run_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An action did not succeed."""

    moment: Moment
    run_id: str
    step: Step
    code: Code
    text: str
    transient: bool


@dataclass(frozen=True, slots=True)
class RunAsked:
    """An operator wants the offered image now, window or not."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class InstallAsked:
    """An operator wants the image of an exported repository now."""

    moment: Moment
    offer: Offer


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """An operator wants the run to stop."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """An operator releases what is quarantined or held."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class RollbackAsked:
    """An operator wants the other slot back."""

    moment: Moment


Event = (
    Started
    | Looked
    | Ticked
    | Answered
    | NotAnswered
    | Sealed
    | Consulted
    | Armed
    | Failed
    | RunAsked
    | InstallAsked
    | CancelAsked
    | RetryAsked
    | RollbackAsked
)

OperatorEvent = RunAsked | InstallAsked | CancelAsked | RetryAsked | RollbackAsked
