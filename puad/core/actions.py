# SPDX-License-Identifier: Apache-2.0
"""Actions: everything that the core ever asks for.

Each is idempotent: after a crash it may be performed again. `puad.effects` is the only place
where one becomes I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from puad.core.run import Goal, Run


class Notice(StrEnum):
    """What a person at the node is told in the journal beside the changes of state."""

    STATE_REBUILT = "state-rebuilt"
    WINDOW_TOO_SHORT = "window-too-short"
    QUARANTINE_CLEARED = "quarantine-cleared"
    CANCELLED = "cancelled"
    REBOOT_HELD = "reboot-held"
    HOLD_OVERRIDDEN = "hold-overridden"


@dataclass(frozen=True, slots=True)
class Ask:
    """Report the status to the maintenance manager and take its answer."""


@dataclass(frozen=True, slots=True)
class Look:
    """Read the facts again."""


@dataclass(frozen=True, slots=True)
class Install:
    """Bring the goal's image to its slot: disarm, fetch, write, stage, seal."""

    goal: Goal


@dataclass(frozen=True, slots=True)
class StopInstall:
    """Stop an `Install` or a `Consult` that is being performed."""


@dataclass(frozen=True, slots=True)
class Disarm:
    """Take the slot's boot entry and boot files away, so that it cannot boot."""

    run_id: str
    slot: str


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask whoever may defer the reboot: block inhibitors and the hooks of pre-reboot.d.

    Attributes:
        goal: What the reboot is for.
        binding: Whether their word counts; on an operator's word the reboot follows all the same.
    """

    goal: Goal
    binding: bool


@dataclass(frozen=True, slots=True)
class Arm:
    """Make the slot the boot target, with that many tries."""

    run_id: str
    slot: str
    tries: int


@dataclass(frozen=True, slots=True)
class MarkBad:
    """Tell the boot loader that the booted slot is bad: an operator's rollback."""

    run_id: str
    slot: str


@dataclass(frozen=True, slots=True)
class MarkGood:
    """Take a `MarkBad` back after a rollback that did not take place."""

    run_id: str
    slot: str


@dataclass(frozen=True, slots=True)
class Reboot:
    """Reboot the node."""

    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Put the ended run into the history."""

    run: Run


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop what was kept on the disk for the resumption of a run that is done."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Say something in the journal."""

    notice: Notice
    text: str


Action = (
    Ask
    | Look
    | Install
    | StopInstall
    | Disarm
    | Consult
    | Arm
    | MarkBad
    | MarkGood
    | Reboot
    | Remember
    | Forget
    | Announce
)
Actions = tuple[Action, ...]
