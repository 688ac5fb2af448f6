# SPDX-License-Identifier: Apache-2.0
"""The way back from a boot that has failed: whether a reboot leads to a slot that is good. Pure.

puad-boot-failed goes by it, and boot control when the health user asks for a reboot.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bootloader.slot import Assessment, BootStatus


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to reboot.

    Attributes:
        reboots: The answer.
        why: The reason, to be read.
        is_good: Whether the booted slot is good.
    """

    reboots: bool
    why: str
    is_good: bool = False


def decide(booted: str, statuses: Mapping[str, BootStatus], pinned: AbstractSet[str]) -> Decision:
    """The rule.

    Args:
        booted: The booted slot.
        statuses: What the boot loader knows of each slot.
        pinned: The slots that come for ever, because the boot loader is pinned to them.
    """
    if statuses[booted].assessment is Assessment.GOOD:
        why = f"slot {booted} is good, so a reboot leads here again"
        return Decision(reboots=False, why=why, is_good=True)
    if booted in pinned:
        why = f"the boot loader is pinned to slot {booted}, so a reboot leads here again"
        return Decision(reboots=False, why=why)
    for slot, status in statuses.items():
        if slot != booted and status.assessment is Assessment.GOOD:
            return Decision(reboots=True, why=f"slot {booted} is not good and slot {slot} is")
    why = f"slot {booted} is not good, and neither is another one that a reboot could lead to"
    return Decision(reboots=False, why=why)
