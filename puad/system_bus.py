# SPDX-License-Identifier: Apache-2.0
"""The system bus: one private connection, and what GLib says when a call on it fails.

Not GLib's shared connection: that one raises SIGTERM when the bus goes away, and once closed it
stays closed. A private one can simply be opened again. `DBUS_SYSTEM_BUS_ADDRESS` is honoured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import pydbus.bus
from gi.repository import Gio, GLib


class Failure(Enum):
    """The kinds of failure that every caller must tell apart."""

    ABSENT = auto()
    SILENT = auto()
    DENIED = auto()
    REFUSED = auto()


_FREEDESKTOP: Final = "org.freedesktop.DBus.Error."
_KINDS: Final = {
    "ServiceUnknown": Failure.ABSENT,
    "NameHasNoOwner": Failure.ABSENT,
    "Disconnected": Failure.ABSENT,
    "NoServer": Failure.ABSENT,
    "NoReply": Failure.SILENT,
    "Timeout": Failure.SILENT,
    "TimedOut": Failure.SILENT,
    "AccessDenied": Failure.DENIED,
    "AuthFailed": Failure.DENIED,
    "InteractiveAuthorizationRequired": Failure.DENIED,
}


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Why a call failed.

    Attributes:
        kind: What it means for the caller.
        name: The D-Bus error name; empty when the bus itself failed.
        message: What the other side said.
    """

    kind: Failure
    name: str
    message: str


def connect() -> pydbus.bus.Bus:
    """Open a connection of one's own to the system bus; close it with `disconnect`.

    Raises:
        GLib.Error: There is no system bus; `explain` understands it.
    """
    return pydbus.bus.connect(Gio.dbus_address_get_for_bus_sync(Gio.BusType.SYSTEM, None))


def disconnect(bus: pydbus.bus.Bus) -> None:
    """Close a connection, also one that the bus has closed already."""
    if not bus.con.is_closed():
        bus.con.close_sync(None)


@contextmanager
def connected() -> Iterator[pydbus.bus.Bus]:
    """A connection for a while."""
    bus = connect()
    try:
        yield bus
    finally:
        disconnect(bus)


def explain(error: GLib.Error) -> CallFailure:
    """What a GLib.Error of a D-Bus call means."""
    name = Gio.DBusError.get_remote_error(error) or ""
    # Gio's own strip_remote_error changes only the binding's copy of the error.
    message = str(error.message).removeprefix(f"GDBus.Error:{name}: ")
    return CallFailure(_kind(error, name), name, message)


def _kind(error: GLib.Error, name: str) -> Failure:
    if name.startswith(_FREEDESKTOP + "Spawn."):
        return Failure.ABSENT
    if name.startswith(_FREEDESKTOP):
        return _KINDS.get(name.removeprefix(_FREEDESKTOP), Failure.REFUSED)
    if name:
        return Failure.REFUSED
    timed_out: Any = Gio.IOErrorEnum.TIMED_OUT
    return Failure.SILENT if error.matches(Gio.io_error_quark(), timed_out) else Failure.ABSENT
