# SPDX-License-Identifier: Apache-2.0
"""Slots as text: what `puadctl slots` prints, and the lower half of `puadctl status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from puad.core.model import Assessment, Slot, SlotState
from puad.render.one_line import printable
from puad.render.paint import Paint
from puad.render.quantity import bytes_text
from puad.render.table import table
from puad.render.view import SlotsView

_HEADINGS: Final = ("SLOT", "STATE", "ASSESSMENT", "TRIES LEFT", "SEALED", "SIZE", "IMAGE")


def slots_text(view: SlotsView, *, width: int = 80, paint: Paint | None = None) -> str:
    """The slots, and what the boot loader does next."""
    lines = slot_lines(view.slots, width=width, paint=paint or Paint())
    then = (
        f"then slot {view.fallback_slot}"
        if view.fallback_slot and view.fallback_slot != view.primary_slot
        else "and no other"
    )
    loader = f"the boot loader ({view.backend})"
    lines += ["", f"At the next boot {loader} tries slot {view.primary_slot}, {then}."]
    return "\n".join(lines) + "\n"


def slot_lines(slots: Sequence[Slot], *, width: int, paint: Paint) -> list[str]:
    """The table of slots."""
    return table(_HEADINGS, [_row(slot, paint) for slot in slots], width=width, paint=paint)


def _row(slot: Slot, paint: Paint) -> tuple[str, ...]:
    painted = {
        Assessment.GOOD: paint.good,
        Assessment.BAD: paint.bad,
        Assessment.INDETERMINATE: paint.waiting,
    }[slot.assessment]
    return (
        slot.name,
        slot.state.value,
        painted(slot.assessment.value),
        "-" if slot.tries_left is None else str(slot.tries_left),
        "-" if slot.state is SlotState.BOOTED else "yes" if slot.sealed else "no",
        bytes_text(slot.size_bytes) if slot.size_bytes else "-",
        printable(slot.image_id) or "-",
    )
