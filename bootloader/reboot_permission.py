# SPDX-License-Identifier: Apache-2.0
"""Whether a caller may reboot the node now.

What the boot loader says is asked strictly: what cannot be read is no reason to reboot.
"""

from __future__ import annotations

from bootloader.access import SlotAccess
from bootloader.backend import Backend
from bootloader.caller import Caller
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import Assessment
from bootloader.way_back import decide


def require_reason(caller: Caller, access: SlotAccess, backend: Backend) -> None:
    """Let root pass, and others when the reboot leads somewhere else.

    Args:
        caller: Who asks.
        access: The slots.
        backend: The boot loader.

    Raises:
        BootloaderError: `NotAllowed` or `RebootNotNeeded`.
    """
    if caller is Caller.HEALTH:
        _require_failed_boot(access, backend.strictly())
    elif caller is Caller.AGENT:
        _require_change(access, backend.strictly())


def _require_failed_boot(access: SlotAccess, backend: Backend) -> None:
    statuses = {name: backend.status(name) for name in access.names}
    decision = decide(access.booted, statuses, backend.pinned_slots())
    if not decision.reboots:
        what = f"the health user may reboot a failed boot only: {decision.why}"
        raise BootloaderError(ErrorName.NOT_ALLOWED, what)


def _require_change(access: SlotAccess, backend: Backend) -> None:
    if backend.status(access.booted).assessment is not Assessment.GOOD:
        return
    if backend.primary() in {"", access.booted}:
        what = "the booted slot is good and comes next again: only root may reboot it"
        raise BootloaderError(ErrorName.REBOOT_NOT_NEEDED, what, on=access.booted)
