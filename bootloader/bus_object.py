# SPDX-License-Identifier: Apache-2.0
"""The D-Bus object org.puad.Bootloader1: calls come in, go to `BootControl`, answers go out.

It is exported through Gio, because pydbus can neither return descriptors nor answer later
(docs/adr/0002-descriptors-through-gio.md). Rules:

1. Every method needs authorisation, properties none. The health user's reboot needs a boot that has
   failed as well: whoever has that user in hand must not keep a good node rebooting.
2. Stage and Seal read whole files, OpenInactive and Seal wait a moment for a descriptor that is on
   its way out: they run in a worker thread, one at a time, and are answered when they end.
   Meanwhile properties are answered as ever and other methods are `Busy`.
3. After each call the properties are compared with what was last told, and PropertiesChanged says
   what is new.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gi.repository import Gio, GLib

from bootloader.authorisation import Callers, require_allowed
from bootloader.chain import MAX_CHAIN_BYTES, MAX_TARGETS_BYTES, Chain
from bootloader.control import BootControl
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.one_line import one_line
from bootloader.properties import INTERFACE, read_properties, read_property
from bootloader.way_back import decide

OBJECT_PATH: Final = "/org/puad/Bootloader1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_XML: Final = Path(__file__).with_name("org.puad.Bootloader1.xml")
_MAX_ARGUMENT_BYTES: Final = MAX_CHAIN_BYTES + MAX_TARGETS_BYTES + (64 << 10)
_MOST_SAID: Final = 1000
_LONG: Final = frozenset({"OpenInactive", "Stage", "Seal"})

_log = logging.getLogger(__name__)

Reply = tuple[GLib.Variant | None, Gio.UnixFDList | None]


class BusObject:
    """The exported object.

    Args:
        control: What the methods do.
        bus: The system bus.
        callers: Who may call what, beside root.
        reboot_limit_s: How long a requested reboot may take.
    """

    def __init__(
        self, control: BootControl, bus: Gio.DBusConnection, callers: Callers, reboot_limit_s: int
    ) -> None:
        self._control = control
        self._bus = bus
        self._callers = callers
        self._reboot_limit_s = reboot_limit_s
        self._is_working = False
        self._overdue = 0
        self._plain: Mapping[str, Callable[..., None]] = {
            "Disarm": control.disarm,
            "SetRootId": control.set_root_id,
            "Arm": control.arm,
            "MarkGood": control.mark_good,
            "MarkBad": control.mark_bad,
            "RequestReboot": self._request_reboot,
        }
        self._opening: Mapping[str, Callable[..., int]] = {
            "OpenInactive": control.open_inactive,
            "OpenActive": control.open_active,
        }
        self._told: dict[str, GLib.Variant] = {}
        self._note_properties()
        interface = Gio.DBusNodeInfo.new_for_xml(_XML.read_text()).lookup_interface(INTERFACE)
        bus.register_object(OBJECT_PATH, interface, self._on_call, None, None)

    def _note_properties(self) -> None:
        """Take what stands there at the start for told."""
        try:
            self._told = read_properties(self._control)
        except BootloaderError as error:
            # the service comes up all the same, and every call says so
            _log.error("the properties cannot be read: %s", error)

    def tell_changes(self) -> None:
        """Emit PropertiesChanged for what is new."""
        try:
            now = read_properties(self._control)
        except BootloaderError as error:
            _log.warning("the properties cannot be read: %s", error)
            return
        changed = {
            name: value
            for name, value in now.items()
            if name not in self._told or not value.equal(self._told[name])
        }
        if changed:
            self._told = now
            told = GLib.Variant("(sa{sv}as)", (INTERFACE, changed, []))
            self._bus.emit_signal(None, OBJECT_PATH, _PROPERTIES, "PropertiesChanged", told)

    def _on_call(
        self,
        _bus: Gio.DBusConnection,
        sender: str,
        _path: str,
        interface: str,
        method: str,
        arguments: GLib.Variant,
        invocation: Gio.DBusMethodInvocation,
    ) -> None:
        if interface == _PROPERTIES:
            _answer(invocation, lambda: self._property(method, arguments))
            return
        try:
            if require_allowed(self._bus, sender, self._callers, method):
                self._require_failed_boot()
            if self._is_working:
                what = "another OpenInactive, Stage or Seal is at work"
                raise BootloaderError(ErrorName.BUSY, what)  # noqa: TRY301 -- one way out for refusals
        except BootloaderError as error:
            _refuse(invocation, error)
            return
        descriptors = invocation.get_message().get_unix_fd_list()
        if method in _LONG:
            self._is_working = True
            work = threading.Thread(
                target=self._work, args=(method, arguments, descriptors, invocation), name=method
            )
            work.start()
        else:
            _answer(invocation, lambda: self._perform(method, arguments, descriptors))
            self.tell_changes()

    def _work(
        self,
        method: str,
        arguments: GLib.Variant,
        descriptors: Gio.UnixFDList | None,
        invocation: Gio.DBusMethodInvocation,
    ) -> None:
        try:
            answer = self._perform(method, arguments, descriptors)
        except Exception as error:  # noqa: BLE001 -- handed over to the main loop
            GLib.idle_add(self._worked, invocation, (None, None), error)
        else:
            GLib.idle_add(self._worked, invocation, answer, None)

    def _worked(
        self, invocation: Gio.DBusMethodInvocation, answer: Reply, error: Exception | None
    ) -> bool:
        self._is_working = False

        def reply() -> Reply:
            if error:
                raise error
            return answer

        _answer(invocation, reply)
        self.tell_changes()
        return False  # once

    def _property(self, method: str, arguments: GLib.Variant) -> Reply:
        if method == "GetAll":
            return GLib.Variant("(a{sv})", (read_properties(self._control),)), None
        name = arguments.unpack()[1]
        if method == "Set":
            raise BootloaderError(ErrorName.NOT_SUPPORTED, "properties are read-only", on=name)
        return GLib.Variant("(v)", (read_property(self._control, name),)), None

    def _perform(
        self, method: str, arguments: GLib.Variant, descriptors: Gio.UnixFDList | None
    ) -> Reply:
        values = _unpacked(arguments)
        if method in self._plain:
            self._plain[method](*values)
        elif method in self._opening:
            return _with_descriptor(self._opening[method](*values))
        elif method == "Seal":
            slot, roots, targets, path = values
            self._control.seal(slot, Chain(roots, targets, path))
        elif method == "Stage":
            slot, kind, index, size, sha256 = values
            _with_argument(
                descriptors, index, lambda fd: self._control.stage(slot, kind, fd, size, sha256)
            )
        else:
            raise RuntimeError(f"{method} is in the XML but has no branch here")
        return None, None

    def _require_failed_boot(self) -> None:
        statuses = {slot.name: slot.status for slot in self._control.slots()}
        if not statuses:
            return  # the call itself says why they are unknown
        decision = decide(self._control.booted, statuses, self._control.backend.pinned_slots())
        if not decision.reboots:
            what = f"the health user may reboot a failed boot only: {decision.why}"
            raise BootloaderError(ErrorName.NOT_ALLOWED, what)

    def _request_reboot(self, reason: str) -> None:
        self._control.request_reboot(reason)
        if self._overdue:
            GLib.source_remove(self._overdue)
        self._overdue = GLib.timeout_add_seconds(self._reboot_limit_s, self._reboot_overdue)

    def _reboot_overdue(self) -> bool:
        if self._is_working:
            return True  # asked again after the same time
        self._overdue = 0
        try:
            self._control.reboot_overdue()
        except BootloaderError as error:
            _log.error("the armed slot cannot be disarmed: %s", error)
        self.tell_changes()
        return False  # once


def _answer(invocation: Gio.DBusMethodInvocation, perform: Callable[[], Reply]) -> None:
    try:
        value, descriptors = perform()
    except BootloaderError as error:
        _refuse(invocation, error)
    except Exception:  # noqa: BLE001 -- a bug must reach the journal and the caller, not end us
        _log.exception("%s failed", invocation.get_method_name())
        what = "a bug in boot control; its journal has the traceback"
        _refuse(invocation, BootloaderError(ErrorName.INTERNAL, what))
    else:
        invocation.return_value_with_unix_fd_list(value, descriptors)


def _refuse(invocation: Gio.DBusMethodInvocation, error: BootloaderError) -> None:
    # the caller's own words may stand in it: neither lines of the journal nor what is no text
    said = one_line(str(error), _MOST_SAID)
    _log.info("%s refused: %s: %s", invocation.get_method_name(), error.name, said)
    invocation.return_dbus_error(error.bus_name, said)


def _unpacked(arguments: GLib.Variant) -> list[Any]:
    """The arguments; byte arrays as bytes, which unpack() would make into lists of numbers."""
    if arguments.get_size() > _MAX_ARGUMENT_BYTES:
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the arguments are too long")
    unpacked: list[Any] = []
    for index in range(arguments.n_children()):
        child = arguments.get_child_value(index)
        match child.get_type_string():
            case "ay":
                unpacked.append(_bytes(child))
            case "aay":
                rows = (child.get_child_value(row) for row in range(child.n_children()))
                unpacked.append([_bytes(row) for row in rows])
            case _:
                unpacked.append(child.unpack())
    return unpacked


def _bytes(value: GLib.Variant) -> bytes:
    return bytes(value.get_data_as_bytes().get_data() or b"")


def _with_descriptor(fd: int) -> Reply:
    try:
        descriptors = Gio.UnixFDList.new()
        index = descriptors.append(fd)  # its own copy
    finally:
        os.close(fd)
    return GLib.Variant("(h)", (index,)), descriptors


def _with_argument(
    descriptors: Gio.UnixFDList | None, index: int, use: Callable[[int], None]
) -> None:
    if descriptors is None or not 0 <= index < descriptors.get_length():
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the call carries no descriptor")
    with storage_errors("descriptor"):
        fd = descriptors.get(index)
    try:
        use(fd)
    finally:
        os.close(fd)
