# SPDX-License-Identifier: Apache-2.0
"""The update run: the one value that says what this node is doing, and why.

A `Run` is what `puad.core.machine.step` takes and gives back. It is immutable and holds
everything that a decision needs, so that a decision can be replayed from it. Two of its fields
are not stored: `rules` and `facts` are brought by the first event after each start, because the
machine and the configuration outrank what was remembered (invariant 4 of docs/architecture.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from puad.core.errors import EXPLANATIONS, Code
from puad.core.model import Facts, Offer, Plan


class State(StrEnum):
    """The states of an update run (docs/architecture.md, "The update run")."""

    IDLE = "IDLE"
    DOWNLOADING = "DOWNLOADING"
    STAGED = "STAGED"
    ARMED = "ARMED"
    ASSESSING = "ASSESSING"
    DONE = "DONE"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration allows; brought anew at each start.

    Attributes:
        tries: Boots that a new slot is given.
        download_window: How long before the window downloads are spread.
        immediate: How long before the window a download must have begun.
        min_window_left: What must be left of a window to reboot in it; None means computed.
        health_deadline: How long a new boot may take to become healthy.
        reboot_limit: How long the node may stay up after a reboot was asked for.
        retry_first: Pause after the first failed download; it doubles with each.
        retry_most: Longest pause between downloads, and after a run that failed on the way.
        attempts: Downloads that one run may begin.
    """

    tries: int = 3
    download_window: timedelta = timedelta(hours=6)
    immediate: timedelta = timedelta(minutes=10)
    min_window_left: timedelta | None = None
    health_deadline: timedelta = timedelta(minutes=5)
    reboot_limit: timedelta = timedelta(minutes=5)
    retry_first: timedelta = timedelta(seconds=30)
    retry_most: timedelta = timedelta(hours=1)
    attempts: int = 8

    def window_needed(self, boot_duration: timedelta) -> timedelta:
        """What must be left of a window before the node may reboot in it (invariant 8)."""
        if self.min_window_left is not None:
            return self.min_window_left
        boots = (self.tries + 1) * boot_duration + self.health_deadline
        return max(timedelta(minutes=10), boots)

    def pause_after(self, attempts: int) -> timedelta:
        """How long to wait after that many failed downloads."""
        doubled = self.retry_first * (1 << min(max(attempts - 1, 0), 20))
        return min(doubled, self.retry_most)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run did not reach its goal.

    Attributes:
        code: One word for it.
        text: One sentence for a person.
        at: When it was learnt, UTC.
        log: The last lines of what failed, as far as there are any.
    """

    code: Code
    text: str
    at: datetime
    log: str = ""

    @property
    def hint(self) -> str:
        """What to do next."""
        return EXPLANATIONS[self.code].hint


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An image that was rolled back here and is not tried again by itself (invariant 7).

    Attributes:
        file_hash: Its file hash; empty when the store was lost and only the image id is known.
        image_id: Its image id.
        cause: Why it was rolled back.
    """

    file_hash: str
    image_id: str
    cause: Cause

    def covers(self, offer: Offer) -> bool:
        """Whether the offered image is this one."""
        if self.file_hash and offer.file_hash:
            return self.file_hash == offer.file_hash
        return self.image_id == offer.image_id


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody at the node defers the reboot: a hook of pre-reboot.d, or a block inhibitor.

    Attributes:
        by: Who, and why.
        since: When this was learnt first, UTC.
        until: When it was over; None while it lasts.
    """

    by: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DownloadTime:
    """When the download of one image for one window begins; drawn once and then kept."""

    file_hash: str
    window_start: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Goal:
    """What one update run wants to reach, and how far its counters are.

    Attributes:
        run_id: The run's name, e.g. `20261123T101500Z-3fa2b1c0`.
        offer: The image; for an operator's rollback the image that is left behind.
        slot: The slot that is to be booted.
        started_at: When the run began, UTC.
        by_operator: An operator's word: no window is needed.
        from_folder: The image comes from an exported repository, not from the server.
        undo: An operator's rollback to the other slot; nothing is written.
        min_version: The version floor that the image brings when it is good.
        attempts: Downloads begun so far.
        retry_at: When the next download begins after one that failed.
        setback: Why the last download failed, while the next one waits.
        asked_at: When the plan was asked for again before arming.
        consulting: Whether those who may defer the reboot are being asked.
        consulted_at: When they answered last.
        released_at: When they let go.
        hold: Who deferred the reboot, the last time that somebody did.
        armed_in: Boot id of the boot that armed the slot.
        reboot_at: When the reboot was asked for.
        verdict_before: Boot id of the verdict that lay there when the run began: not about it.
    """

    run_id: str
    offer: Offer
    slot: str
    started_at: datetime
    by_operator: bool = False
    from_folder: bool = False
    undo: bool = False
    min_version: str | None = None
    attempts: int = 0
    retry_at: datetime | None = None
    setback: Cause | None = None
    asked_at: datetime | None = None
    consulting: bool = False
    consulted_at: datetime | None = None
    released_at: datetime | None = None
    hold: Hold | None = None
    armed_in: str = ""
    reboot_at: datetime | None = None
    verdict_before: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What the node is doing.

    Attributes:
        state: Where the run stands.
        goal: What it wants; None in IDLE.
        plan: The maintenance manager's last answer.
        cause: Why the last run failed or was rolled back.
        quarantine: Images that are not tried again by themselves.
        floor: The version floor, the highest `min_version` of any image marked good here.
        held: File hash of an image that was cancelled or failed for good; tried again only
            when another image is offered or an operator says so.
        installed: The image of the last run that reached DONE.
        download_at: When the next download begins.
        retry_at: When a run that failed on the way is tried again.
        told: Whether the server has taken the final status of the last run.
        short_window: Opening of the last window that was reported as too short.
        rules: The configuration's part; not stored.
        facts: What the machine said last; not stored.
    """

    state: State = State.IDLE
    goal: Goal | None = None
    plan: Plan = field(default_factory=Plan)
    cause: Cause | None = None
    quarantine: tuple[Quarantined, ...] = ()
    floor: str | None = None
    held: str = ""
    installed: Offer | None = None
    download_at: DownloadTime | None = None
    retry_at: datetime | None = None
    told: bool = True
    short_window: datetime | None = None
    rules: Rules = field(default_factory=Rules)
    facts: Facts | None = None

    @property
    def booted_is_good(self) -> bool:
        """Whether the booted slot is confirmed, so that the inactive one may be touched."""
        booted = self.facts.booted if self.facts else None
        return booted is not None and booted.assessment == "good"

    def quarantined(self, offer: Offer) -> Quarantined | None:
        """The quarantine entry that covers the offered image, or None."""
        return next((entry for entry in self.quarantine if entry.covers(offer)), None)

    def with_goal(self, **changes: object) -> Run:
        """The same run with counters of its goal changed."""
        if self.goal is None:
            raise RuntimeError(f"a run in {self.state} has no goal to change")
        return replace(self, goal=replace(self.goal, **changes))  # type: ignore[arg-type]  # checked by replace
