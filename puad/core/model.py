# SPDX-License-Identifier: Apache-2.0
"""The nouns of an update: images, slots, facts, verdicts, schedules and the plan.

All of them are values. What the node *is doing* with them is a `puad.core.run.Run`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class SlotState(StrEnum):
    """Where a slot stands in this boot (style.md §3)."""

    BOOTED = "booted"
    ACTIVE = "active"
    INACTIVE = "inactive"


class Assessment(StrEnum):
    """What the boot loader thinks of a slot (systemd, Automatic Boot Assessment)."""

    GOOD = "good"
    BAD = "bad"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class Offer:
    """The image that the maintenance manager wants on this node (protocol.md §1).

    Attributes:
        url: The image's path in the signed repository, e.g. `edge/13.1/edge-13.1.raw.zst`.
        image_id: The image id, IMAGE_VERSION in os-release of the image.
        file_hash: SHA-256 of the published file, 64 lower-case hex digits.
        profile_name: The OS profile, IMAGE_ID in os-release.
        profile_version: The profile's own version; upstream leaves it empty.
    """

    url: str
    image_id: str
    file_hash: str
    profile_name: str
    profile_version: str = ""


@dataclass(frozen=True, slots=True)
class SingleSchedule:
    """One maintenance window; without an end it stays open (protocol.md §1).

    Attributes:
        start_s: Unix time of the opening, in seconds.
        end_s: Unix time of the end, in seconds; 0 means open-ended.
    """

    start_s: int
    end_s: int = 0


@dataclass(frozen=True, slots=True)
class RepeatedSchedule:
    """A window that opens again and again, by cron fields in UTC (protocol.md §1).

    Attributes:
        duration_s: How long each window stays open, 1..86400 seconds.
        cron_minutes: `*` or a list of numbers 0..59, separated by commas.
        cron_hours: The same for 0..23.
        cron_day_month: The same for 1..31.
        cron_month: The same for 1..12.
        cron_day_week: The same for 0..6, where 0 is Sunday.
    """

    duration_s: int
    cron_minutes: str
    cron_hours: str
    cron_day_month: str
    cron_month: str
    cron_day_week: str


@dataclass(frozen=True, slots=True)
class Schedules:
    """All schedules that apply to the node: at most one single, any number of repeated ones."""

    single: SingleSchedule | None = None
    repeated: tuple[RepeatedSchedule, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The maintenance manager's last answer: what to install, and when.

    Attributes:
        offer: The wanted image; None without a policy.
        schedules: When it may be installed.
        answered_at: When the server said so, UTC; None before the first answer.
    """

    offer: Offer | None = None
    schedules: Schedules = field(default_factory=Schedules)
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """One concrete opening `[start, end)`, UTC; `end` is None when it stays open."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Slot:
    """One bootable copy of the OS, as boot control describes it (org.puad.Bootloader1 `Slots`).

    Attributes:
        name: `a` or `b`.
        state: Booted, active or inactive.
        assessment: Good, bad or not yet known.
        tries_left: Boots that the boot loader may still try; None when it does not count.
        tries_done: Boots that it has tried; None when it does not count.
        size_bytes: Room for an image.
        image_id: The image that was sealed here; empty when unknown.
        profile: The OS profile of that image; empty when unknown.
        sealed: Whether boot control has verified and frozen the slot.
    """

    name: str
    state: SlotState
    assessment: Assessment
    tries_left: int | None = None
    tries_done: int | None = None
    size_bytes: int = 0
    image_id: str = ""
    profile: str = ""
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one health probe found.

    Attributes:
        name: The probe's name.
        required: Whether the verdict depends on it.
        passed: Whether it passed.
        reason: Why it did not, in one line; empty when it passed.
        log_tail: The last lines that the probe printed.
        seconds: How long it ran.
    """

    name: str
    required: bool
    passed: bool
    reason: str = ""
    log_tail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the health process found on one boot, probe by probe.

    Attributes:
        boot_id: The kernel's boot id of that boot.
        slot: The slot that was booted.
        image_id: IMAGE_VERSION of the booted root.
        good: True when every required probe passed.
        probes: Every probe that ran.
        finished_at: When it was written, UTC.
        profile: IMAGE_ID of the booted root; empty when it is not known.
    """

    boot_id: str
    slot: str
    image_id: str
    good: bool
    probes: tuple[ProbeResult, ...]
    finished_at: datetime
    profile: str = ""

    @property
    def failed_required(self) -> tuple[ProbeResult, ...]:
        """The required probes that did not pass."""
        return tuple(probe for probe in self.probes if probe.required and not probe.passed)


@dataclass(frozen=True, slots=True)
class BootRecord:
    """What one boot has left in the persistent journal.

    Attributes:
        boot_id: The kernel's id of that boot.
        reason: Why puad-boot-failed gave it up, in one word; empty when it did not.
        lines: Its last lines that matter.
    """

    boot_id: str
    reason: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trail:
    """What the journal tells of the boots of the new slot, after a fallback.

    Attributes:
        boots: Those boots, oldest first.
        panic: The last lines of the last kernel that panicked, as pstore kept them.
    """

    boots: tuple[BootRecord, ...] = ()
    panic: tuple[str, ...] = ()

    def lines_of(self, boot_id: str) -> tuple[str, ...]:
        """The last lines of a boot."""
        return next((boot.lines for boot in self.boots if boot.boot_id == boot_id), ())


@dataclass(frozen=True, slots=True)
class Facts:
    """What the machine itself says now; it outranks everything that is stored (invariant 4).

    Attributes:
        boot_id: The kernel's id of this boot.
        booted_slot: The slot under `/`.
        primary_slot: The slot that the boot loader tries first next time.
        image_id: IMAGE_VERSION of the booted root's os-release.
        profile: IMAGE_ID of the booted root's os-release.
        slots: Every slot.
        verdict: The last verdict on disk, of whichever boot; None when there is none.
        boot_duration_s: How long this boot took up to the start of puad, in seconds.
        trail: What the new slot's boots have left, after a fallback; None when it was not read.
    """

    boot_id: str
    booted_slot: str
    primary_slot: str
    image_id: str
    profile: str
    slots: tuple[Slot, ...]
    verdict: Verdict | None = None
    boot_duration_s: float = 0.0
    trail: Trail | None = None

    def slot(self, name: str) -> Slot | None:
        """The slot of that name, or None."""
        return next((slot for slot in self.slots if slot.name == name), None)

    def overwritten(self, name: str) -> Facts:
        """The same facts, but for a slot whose content is about to be replaced."""
        slots = tuple(
            replace(
                slot, assessment=Assessment.INDETERMINATE, sealed=False, image_id="", profile=""
            )
            if slot.name == name
            else slot
            for slot in self.slots
        )
        return replace(self, slots=slots)

    @property
    def booted(self) -> Slot | None:
        """The booted slot."""
        return self.slot(self.booted_slot)

    @property
    def inactive(self) -> Slot | None:
        """The slot that an update is written to."""
        return next((slot for slot in self.slots if slot.name != self.booted_slot), None)
