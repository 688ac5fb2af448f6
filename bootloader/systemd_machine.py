# SPDX-License-Identifier: Apache-2.0
"""A node with systemd: logind has its power, systemd knows how far the boot has come.

Both are asked over the system bus. puad-boot-failed, which runs where there may be none, asks
systemd in its own way and imports nothing of this.
"""

from __future__ import annotations

import logging
from typing import Final

from gi.repository import Gio, GLib

from bootloader.errors import BootloaderError, ErrorName
from bootloader.machine import Machine
from bootloader.spare_descriptors import has_spare_descriptors

_LIMIT_MS: Final = 10_000
_LOGIND: Final = ("org.freedesktop.login1", "/org/freedesktop/login1")
_SKIP_INHIBITORS: Final = 1 << 4  # logind's SD_LOGIND_SKIP_INHIBITORS
_BOOT_COMPLETE: Final = "boot-complete.target"
_SYSTEMD: Final = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1")

_log = logging.getLogger(__name__)


class SystemdMachine(Machine):
    """A node with systemd."""

    def request_reboot(self, reason: str) -> None:
        """See `Machine`; it is told to everybody on a terminal, and delays get their time.

        Block inhibitors are skipped: the agent has honoured them before it armed a slot, and logind
        would let one keep a node on a slot that is bad.
        """
        manager = "org.freedesktop.login1.Manager"
        try:
            _call(*_LOGIND, manager, "SetWallMessage", GLib.Variant("(sb)", (reason, True)))
        except GLib.Error as error:
            _log.warning("the reboot comes without a wall message: %s", error.message)
        try:
            flags = GLib.Variant("(t)", (_SKIP_INHIBITORS,))
            _call(*_LOGIND, manager, "RebootWithFlags", flags)
        except GLib.Error as error:
            what = f"logind did not take the request to reboot ({reason}): {error.message}"
            raise BootloaderError(ErrorName.REBOOT_FAILED, what) from error

    def is_boot_complete(self) -> bool:
        """See `Machine`; False when systemd does not answer."""
        manager = "org.freedesktop.systemd1.Manager"
        try:
            found = _call(*_SYSTEMD, manager, "GetUnit", GLib.Variant("(s)", (_BOOT_COMPLETE,)))
            asked = GLib.Variant("(ss)", ("org.freedesktop.systemd1.Unit", "ActiveState"))
            properties = "org.freedesktop.DBus.Properties"
            state = _call(_SYSTEMD[0], found.unpack()[0], properties, "Get", asked)
        except GLib.Error as error:
            _log.info("systemd does not tell the state of %s: %s", _BOOT_COMPLETE, error.message)
            return False
        return bool(state.unpack()[0] == "active")


def _call(
    name: str, path: str, interface: str, method: str, arguments: GLib.Variant
) -> GLib.Variant:
    if not has_spare_descriptors():
        raise GLib.Error("too many files are open")
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    flags = Gio.DBusCallFlags.NONE
    return bus.call_sync(name, path, interface, method, arguments, None, flags, _LIMIT_MS, None)
