# SPDX-License-Identifier: Apache-2.0
"""The slots as boot control tells them, for commands that work without the daemon."""

from __future__ import annotations

from puad.bootcontrol import BootControl
from puad.render import SlotsView


def slots_view(control: BootControl) -> SlotsView:
    """The slots and what the boot loader will do with them.

    Raises:
        BootControlError: It does not answer.
    """
    try:
        return SlotsView(
            slots=control.slots(),
            booted_slot=control.booted_slot(),
            primary_slot=control.primary_slot(),
            fallback_slot=control.fallback_slot(),
            backend=control.backend(),
        )
    finally:
        control.close()
