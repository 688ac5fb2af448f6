# SPDX-License-Identifier: Apache-2.0
"""The machine under a simulated node: two slots, a boot loader that counts, a journal, a verdict.

It behaves as boot control and the boot loaders do (docs/boot-control.md), and refuses what they
refuse, so that a mistake of the core shows as a refusal here. Rules:

1. The boot loader takes the slot with the highest generation that is good or has tries left, and
   counts a try before it makes it.
2. Only a sealed slot is armed, and never the booted one. A seal does not outlive a boot.
3. Nothing but arming, marking and writing changes a slot; the booted slot is never written.

Nothing here knows of time but what is handed in, and nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from puad.core.errors import BootControlError, Code
from puad.core.model import (
    Assessment,
    BootRecord,
    Facts,
    Offer,
    ProbeResult,
    Slot,
    SlotState,
    Trail,
    Verdict,
)
from puad.core.rules.causes import wants_trail
from puad.core.run import Run
from tests.simulator.characters import Character

SLOT_BYTES = 4 << 30
PROBE = "application"
_REASON = "exit code 1"
_SAID = "the shop application does not answer on its socket"
_EMERGENCY_LINES = ("Failed to mount /var.", "Dependency failed for local-fs.target.")


@dataclass(slots=True)
class _Disk:
    """One slot, and what the boot loader knows of it; generation 0 is no boot entry."""

    image_id: str = ""
    profile: str = ""
    good: bool = False
    bad: bool = False
    tries_left: int | None = None
    tries_done: int = 0
    sealed: bool = False
    generation: int = 0

    @property
    def is_bootable(self) -> bool:
        return self.generation > 0 and not self.bad and (self.good or bool(self.tries_left))

    @property
    def assessment(self) -> Assessment:
        if self.good:
            return Assessment.GOOD
        is_bad = self.bad or self.tries_left == 0
        return Assessment.BAD if is_bad else Assessment.INDETERMINATE


@dataclass(slots=True)
class Machine:
    """A node's hardware and what lies on it.

    Attributes:
        profile: The OS profile of its first image.
        image_id: That image; it is good, in slot a.
        character_of: How an image behaves here.
        booted: The booted slot.
        boots: How often it was booted.
    """

    profile: str
    image_id: str
    character_of: Callable[[str], Character]
    booted: str = "a"
    boots: int = 0
    _verdict: Verdict | None = None
    _trail: list[BootRecord] = field(default_factory=list)
    _slots: dict[str, _Disk] = field(init=False)

    def __post_init__(self) -> None:
        first = _Disk(self.image_id, self.profile, good=True, generation=1)
        self._slots = {"a": first, "b": _Disk()}

    @property
    def boot_id(self) -> str:
        """The kernel's id of this boot."""
        return f"boot-{self.boots}"

    @property
    def running(self) -> str:
        """The image id of the booted root."""
        return self._slots[self.booted].image_id

    @property
    def is_confirmed(self) -> bool:
        """Whether the booted slot is marked good."""
        return self._slots[self.booted].good

    def facts(self, run: Run) -> Facts:
        """What the machine says of itself; after a fallback with the trail, as puad reads it."""
        facts = Facts(
            boot_id=self.boot_id,
            booted_slot=self.booted,
            primary_slot=self._target(),
            image_id=self.running,
            profile=self._slots[self.booted].profile,
            slots=tuple(self._described(name) for name in self._slots),
            verdict=self._verdict,
        )
        if run.facts is None and wants_trail(run, facts) is not None:
            return replace(facts, trail=Trail(tuple(self._trail)))
        return facts

    def _described(self, name: str) -> Slot:
        disk = self._slots[name]
        return Slot(
            name=name,
            state=SlotState.BOOTED if name == self.booted else SlotState.INACTIVE,
            assessment=disk.assessment,
            tries_left=disk.tries_left,
            tries_done=disk.tries_done or None,
            size_bytes=SLOT_BYTES,
            image_id=disk.image_id,
            profile=disk.profile,
            sealed=disk.sealed,
        )

    def _target(self) -> str:
        bootable = [name for name, disk in self._slots.items() if disk.is_bootable]
        if not bootable:
            raise AssertionError("no slot can boot: the machine is lost")
        return max(bootable, key=lambda name: self._slots[name].generation)

    # ---- power ----

    def power_on(self) -> int:
        """Boot until a root comes up that runs puad: how many boots that took."""
        for disk in self._slots.values():
            disk.sealed = False
        before = self.boots
        while True:
            self.booted = self._target()
            self.boots += 1
            if self._comes_up(self._slots[self.booted]):
                return self.boots - before

    def _comes_up(self, disk: _Disk) -> bool:
        if disk.good:
            return True
        assert disk.tries_left, "what is not good and has no try left is not chosen"
        disk.tries_left -= 1
        disk.tries_done += 1
        character = self.character_of(disk.image_id)
        if character is Character.EMERGENCY:
            self._trail.append(BootRecord(self.boot_id, "emergency", _EMERGENCY_LINES))
        elif character is not Character.DEAD:
            self._trail.append(BootRecord(self.boot_id))
        return character in {Character.HEALTHY, Character.UNHEALTHY}

    # ---- the health process ----

    def assess(self, now: datetime) -> bool:
        """Write the verdict on the booted slot, and mark the slot when it is good.

        Returns:
            Whether the node leaves this boot by a reboot.
        """
        disk = self._slots[self.booted]
        if disk.good:
            return False
        good = self.character_of(disk.image_id) is Character.HEALTHY
        reason, said = ("", "") if good else (_REASON, _SAID)
        probe = ProbeResult(PROBE, required=True, passed=good, reason=reason, log_tail=said)
        self._verdict = Verdict(
            self.boot_id, self.booted, disk.image_id, good, (probe,), now, disk.profile
        )
        if good:
            disk.good, disk.tries_left = True, None
        return not good and self._slots[self._other].good

    # ---- boot control ----

    @property
    def _other(self) -> str:
        return next(name for name in self._slots if name != self.booted)

    def disarm(self, slot: str) -> None:
        """Take the slot's entry and seal away; what lies on it cannot boot any more."""
        disk = self._inactive(slot)
        disk.sealed, disk.generation = False, 0
        disk.good = disk.bad = False
        disk.tries_left, disk.tries_done = None, 0

    def write(self, slot: str) -> None:
        """Begin to write over a slot: whatever was there is gone."""
        self.disarm(slot)
        self._slots[slot] = _Disk()

    def seal(self, slot: str, offer: Offer) -> None:
        """Freeze what was written."""
        self._inactive(slot)
        self._slots[slot] = _Disk(offer.image_id, offer.profile_name, sealed=True)

    def arm(self, slot: str, tries: int) -> None:
        """Make a sealed slot the boot target."""
        disk = self._inactive(slot)
        if not disk.sealed:
            raise BootControlError(Code.ARM_REFUSED, "The slot is not sealed", on=slot)
        disk.generation = 1 + max(known.generation for known in self._slots.values())
        disk.tries_left, disk.tries_done = tries, 0
        self._trail.clear()

    def mark(self, slot: str, *, good: bool) -> None:
        """Mark the booted slot on an operator's word."""
        if slot != self.booted:
            raise BootControlError(Code.BOOT_CONTROL_REFUSED, "The slot is not booted", on=slot)
        disk = self._slots[slot]
        disk.good, disk.bad, disk.tries_left = good, not good, None

    def _inactive(self, slot: str) -> _Disk:
        if slot == self.booted:
            raise BootControlError(Code.BOOT_CONTROL_REFUSED, "The slot is booted", on=slot)
        if not self.is_confirmed:
            raise BootControlError(Code.NO_FALLBACK, "The booted slot is not good", on=self.booted)
        return self._slots[slot]
