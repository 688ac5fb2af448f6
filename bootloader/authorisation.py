# SPDX-License-Identifier: Apache-2.0
"""Authorisation: only root and the configured user may call methods.

The bus itself says who the caller is; what a caller says of itself is never looked at. The D-Bus
policy file refuses others before they get here, but a policy can be missing or be widened.
"""

from __future__ import annotations

import pwd
from typing import Final

from gi.repository import Gio, GLib

from bootloader.errors import BootloaderError, ErrorName

_LIMIT_MS: Final = 5_000


def require_allowed(bus: Gio.DBusConnection, sender: str, user: str) -> None:
    """Let root and `user` pass.

    Args:
        bus: The connection that the call came over.
        sender: The caller's unique name on it.
        user: Name of the allowed user; one that does not exist allows nobody.

    Raises:
        BootloaderError: `NotAllowed`.
    """
    uid = _uid_of(bus, sender)
    if uid == 0:
        return
    try:
        allowed = pwd.getpwnam(user).pw_uid
    except KeyError:
        allowed = 0
    if uid != allowed:
        what = f"only root and user {user} may call this, not uid {uid}"
        raise BootloaderError(ErrorName.NOT_ALLOWED, what)


def _uid_of(bus: Gio.DBusConnection, sender: str) -> int:
    asked = GLib.Variant("(s)", (sender,))
    daemon = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    flags = Gio.DBusCallFlags.NONE
    try:
        answer = bus.call_sync(
            *daemon, "GetConnectionUnixUser", asked, None, flags, _LIMIT_MS, None
        )
    except GLib.Error as error:
        what = "the bus does not tell who the caller is"
        raise BootloaderError(ErrorName.NOT_ALLOWED, what) from error
    return int(answer.unpack()[0])
