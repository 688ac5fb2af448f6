# SPDX-License-Identifier: Apache-2.0
"""Authorisation: only root and the configured user may call methods, and one the health user.

The bus itself says who the caller is; what a caller says of itself is never looked at. The D-Bus
policy file refuses others before they get here, but a policy can be missing or be widened.
"""

from __future__ import annotations

import logging
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gi.repository import Gio, GLib

from bootloader.caller import Caller
from bootloader.errors import BootloaderError, ErrorName

_LIMIT_MS: Final = 5_000
_HEALTH_METHODS: Final = frozenset({"RequestReboot"})

_log = logging.getLogger(__name__)


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


def ask_for_uid(bus: Gio.DBusConnection, sender: str, then: Callable[[int | None], None]) -> None:
    """Ask the bus which user a caller is, without waiting for the answer.

    Args:
        bus: The connection that the call came over.
        sender: The caller's unique name on it.
        then: Is called with the answer; with None when the bus does not say.
    """

    def answered(_bus: Gio.DBusConnection, result: Gio.AsyncResult) -> None:
        try:
            uid = int(bus.call_finish(result).unpack()[0])
        except GLib.Error as error:
            _log.warning("the bus does not tell who %s is: %s", sender, error.message)
            then(None)
        else:
            then(uid)

    asked = GLib.Variant("(s)", (sender,))
    daemon = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    flags = Gio.DBusCallFlags.NONE
    question = (*daemon, "GetConnectionUnixUser", asked, None, flags, _LIMIT_MS, None)
    bus.call(*question, answered)


def caller_of(uid: int | None, callers: Callers, method: str) -> Caller:
    """Who a user is to this service; who may call this method passes.

    Args:
        uid: The user, as the bus knows it; None when it does not.
        callers: Who may call what.
        method: What is called.

    Raises:
        BootloaderError: `NotAllowed`.
    """
    if uid is None:
        what = "the bus does not tell who the caller is"
        raise BootloaderError(ErrorName.NOT_ALLOWED, what)
    users = callers.of(method)
    if uid == 0:
        return Caller.ROOT
    if uid == _uid_of_user(callers.user):
        return Caller.AGENT
    if uid not in {_uid_of_user(user) for user in users}:
        what = f"only root and user {' or '.join(users)} may call {method}, not uid {uid}"
        raise BootloaderError(ErrorName.NOT_ALLOWED, what)
    return Caller.HEALTH


def _uid_of_user(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return 0
