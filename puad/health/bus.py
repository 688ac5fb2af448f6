# SPDX-License-Identifier: Apache-2.0
"""D-Bus calls of the probes: each with a timeout, none starts a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from gi.repository import Gio, GLib

from puad.health.probe import Deadline, ProbeError
from puad.system_bus import connected, explain

_MS: Final = 1000
_LEAST_S: Final = 0.1
_DAEMON: Final = ("org.freedesktop.DBus", "/org/freedesktop/DBus")


class Bus:
    """A connection to the system bus, for calls that end in time.

    Args:
        connection: The open connection.
        deadline: When the probe must have ended.
        timeout_s: The longest wait for one answer.
    """

    def __init__(self, connection: Gio.DBusConnection, deadline: Deadline, timeout_s: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._timeout_s = timeout_s

    def call(
        self, peer: tuple[str, str], member: str, arguments: GLib.Variant | None, answer: str
    ) -> tuple[Any, ...]:
        """Call a method.

        Args:
            peer: Bus name and object.
            member: Interface and method, with a dot between.
            arguments: What the method takes; None for nothing.
            answer: D-Bus type of what it gives.

        Raises:
            ProbeError: Nobody answered, not in time, or with an error.
        """
        interface, _, method = member.rpartition(".")
        timeout_s = max(_LEAST_S, min(self._timeout_s, self._deadline.left_s))
        try:
            reply = self._connection.call_sync(
                *peer,
                interface,
                method,
                arguments,
                GLib.VariantType.new(answer),
                Gio.DBusCallFlags.NO_AUTO_START,
                int(timeout_s * _MS),
                None,
            )
        except GLib.Error as error:
            raise ProbeError(f"{peer[0]} does not answer: {explain(error).message}") from error
        return tuple(reply.unpack())

    def owner(self, name: str) -> str:
        """The connection that owns a name; it is another one after each restart.

        Raises:
            ProbeError: Nobody owns it.
        """
        argument = GLib.Variant("(s)", (name,))
        (owner,) = self.call(_DAEMON, "org.freedesktop.DBus.GetNameOwner", argument, "(s)")
        return str(owner)


@contextmanager
def open_bus(deadline: Deadline, timeout_s: int) -> Iterator[Bus]:
    """The system bus for one probe.

    Raises:
        ProbeError: There is none.
    """
    try:
        with connected() as bus:
            yield Bus(bus.con, deadline, timeout_s)
    except GLib.Error as error:
        raise ProbeError(f"there is no system bus: {explain(error).message}") from error
