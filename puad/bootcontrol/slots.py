# SPDX-License-Identifier: Apache-2.0
"""Slots as they stand on the bus, read into `puad.core.model.Slot`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from puad.core.errors import BootControlError, Code
from puad.core.model import Assessment, Slot, SlotState


def parse_slots(rows: Sequence[Mapping[str, Any]]) -> tuple[Slot, ...]:
    """Read the `Slots` property, unpacked.

    Raises:
        BootControlError: `BOOT_CONTROL_REFUSED`, when a row breaks the contract.
    """
    try:
        return tuple(_slot(row) for row in rows)
    except (KeyError, ValueError) as error:
        raise BootControlError(
            Code.BOOT_CONTROL_REFUSED, f"Boot control describes a slot wrongly: {error}", on="Slots"
        ) from error


def _slot(row: Mapping[str, Any]) -> Slot:
    return Slot(
        name=row["name"],
        state=SlotState(row["state"]),
        assessment=Assessment(row["assessment"]),
        tries_left=row.get("tries-left"),
        tries_done=row.get("tries-done"),
        size_bytes=row.get("size", 0),
        image_id=row.get("image-id", ""),
        profile=row.get("profile", ""),
        sealed=row.get("sealed", False),
    )
