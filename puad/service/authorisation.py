# SPDX-License-Identifier: Apache-2.0
"""Authorisation: who may call a method of `org.puad.Agent1` that changes something.

Root may. Everybody else is asked of polkit, under the action `org.puad.agent1.` and the method's
name in lower case. Where there is no polkit, root alone may. Whoever calls is known by the name
that the bus daemon gave to the connection, so that no process number can be taken over meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gi.repository import Gio, GLib

from puad.core.errors import Code, OperatorError, PuadError
from puad.system_bus import Failure, explain

ACTIONS: Final = "org.puad.agent1."
_BUS: Final = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
_POLKIT: Final = (
    "org.freedesktop.PolicyKit1",
    "/org/freedesktop/PolicyKit1/Authority",
    "org.freedesktop.PolicyKit1.Authority",
)
_BUS_TIMEOUT_MS: Final = 5000
_ANSWER_MS: Final = 25_000
_PERSON_MS: Final = 180_000
_MAY_ASK_A_PERSON: Final = 1

Then = Callable[[PuadError | None], None]


def authorise(
    connection: Gio.DBusConnection, method: str, sender: str, *, interactive: bool, then: Then
) -> None:
    """Find out whether a caller may call a method, and go on with the answer: None when it may.

    Args:
        connection: The bus on which it was called.
        method: The method's name.
        sender: The caller's name on the bus.
        interactive: Whether the caller is ready to wait for a person who gives a password.
        then: Goes on, in the main loop; at once or later.

    Raises:
        GLib.Error: The bus daemon does not say who calls.
    """
    if _uid(connection, sender) == 0:
        then(None)
        return
    subject = ("system-bus-name", {"name": GLib.Variant("s", sender)})
    flags = _MAY_ASK_A_PERSON if interactive else 0
    connection.call(
        *_POLKIT,
        "CheckAuthorization",
        GLib.Variant("((sa{sv})sa{ss}us)", (subject, ACTIONS + method.lower(), {}, flags, "")),
        GLib.VariantType("((bba{ss}))"),
        Gio.DBusCallFlags.NONE,
        _PERSON_MS if interactive else _ANSWER_MS,
        None,
        lambda source, result: then(_refusal(source, result, method)),
    )


def _refusal(
    connection: Gio.DBusConnection, result: Gio.AsyncResult, method: str
) -> PuadError | None:
    try:
        ((allowed, challenge, _),) = connection.call_finish(result).unpack()
    except GLib.Error as error:
        failure = explain(error)
        if failure.kind is Failure.ABSENT:
            why = f"Only root may call {method}: there is no polkit to ask"
        else:
            why = f"Only root may call {method}: polkit does not answer: {failure.message}"
        return OperatorError(Code.NOT_ALLOWED, why)
    if allowed:
        return None
    action = ACTIONS + method.lower()
    why = "polkit asks for authentication first" if challenge else "polkit does not allow it"
    return OperatorError(Code.NOT_ALLOWED, f"This user may not call {method}: {why}", on=action)


def _uid(connection: Gio.DBusConnection, sender: str) -> int:
    reply = connection.call_sync(
        *_BUS,
        "GetConnectionUnixUser",
        GLib.Variant("(s)", (sender,)),
        GLib.VariantType("(u)"),
        Gio.DBusCallFlags.NONE,
        _BUS_TIMEOUT_MS,
        None,
    )
    return int(reply.unpack()[0])
