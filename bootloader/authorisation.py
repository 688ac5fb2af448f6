# SPDX-License-Identifier: Apache-2.0
"""Authorisation: only root and the configured user may call methods, and one the health user.

The bus itself says who the caller is; what a caller says of itself is never looked at. The D-Bus
policy file refuses others before they get here, but a policy can be missing or be widened.
"""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from typing import Final

from gi.repository import Gio, GLib

from bootloader.errors import BootloaderError, ErrorName

_LIMIT_MS: Final = 5_000
_HEALTH_METHODS: Final = frozenset({"RequestReboot"})


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may call methods, beside root; a name that no user has allows nobody.

    Attributes:
        user: May call all of them.
        health_user: May call RequestReboot, in a boot that has failed.
    """

    user: str
    health_user: str

    def of(self, method: str) -> tuple[str, ...]:
        """The users that may call a method."""
        return (self.user, self.health_user) if method in _HEALTH_METHODS else (self.user,)


def require_allowed(bus: Gio.DBusConnection, sender: str, callers: Callers, method: str) -> bool:
    """Let root and those who may call this method pass.

    Args:
        bus: The connection that the call came over.
        sender: The caller's unique name on it.
        callers: Who may call what.
        method: What is called.

    Returns:
        Whether it is the health user, who may call it only in a boot that has failed.

    Raises:
        BootloaderError: `NotAllowed`.
    """
    uid = _uid_of(bus, sender)
    users = callers.of(method)
    if uid != 0 and uid not in {_uid_of_user(user) for user in users}:
        what = f"only root and user {' or '.join(users)} may call {method}, not uid {uid}"
        raise BootloaderError(ErrorName.NOT_ALLOWED, what)
    return uid not in {0, _uid_of_user(callers.user)}


def _uid_of_user(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return 0


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
