# SPDX-License-Identifier: Apache-2.0
"""The properties of org.puad.Bootloader1, as the bus carries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gi.repository import GLib

from bootloader.control import BootControl
from bootloader.slot import Slot

INTERFACE: Final = "org.puad.Bootloader1"
INTERFACE_VERSION: Final = 2


def read_property(control: BootControl, name: str) -> GLib.Variant:
    """One of `PROPERTIES` or `LIVE`; nothing is read for the others.

    Raises:
        BootloaderError: When slots or boot loader cannot be read.
    """
    return _READERS[name](control)


def _row(slot: Slot) -> dict[str, GLib.Variant]:
    row: dict[str, Any] = {
        "name": GLib.Variant("s", slot.name),
        "state": GLib.Variant("s", slot.state),
        "assessment": GLib.Variant("s", slot.status.assessment),
        "size": GLib.Variant("t", slot.size_bytes),
        "image-id": GLib.Variant("s", slot.image_id),
        "profile": GLib.Variant("s", slot.profile),
        "sealed": GLib.Variant("b", slot.sealed),
    }
    if slot.status.tries_left is not None:
        row["tries-left"] = GLib.Variant("u", slot.status.tries_left)
    if slot.status.tries_done is not None:
        row["tries-done"] = GLib.Variant("u", slot.status.tries_done)
    return row


_READERS: Final[Mapping[str, Callable[[BootControl], GLib.Variant]]] = {
    "InterfaceVersion": lambda _: GLib.Variant("u", INTERFACE_VERSION),
    "Backend": lambda control: GLib.Variant("s", control.backend.name),
    "BootedSlot": lambda control: GLib.Variant("s", control.booted),
    "PrimarySlot": lambda control: GLib.Variant("s", control.backend.primary()),
    "FallbackSlot": lambda control: GLib.Variant("s", control.backend.fallback()),
    "HostUuid": lambda control: GLib.Variant("s", control.host_uuid()),
    "Slots": lambda control: GLib.Variant("aa{sv}", [_row(slot) for slot in control.slots()]),
    "SealProgress": lambda control: GLib.Variant("t", control.progress.done_bytes),
}

LIVE: Final = frozenset({"SealProgress"})
"""What changes all the time and costs nothing to read: always answered anew, never told."""

PROPERTIES: Final = tuple(name for name in _READERS if name not in LIVE)
