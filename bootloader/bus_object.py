# SPDX-License-Identifier: Apache-2.0
"""The D-Bus object org.puad.Bootloader1: calls come in, go to `BootControl`, answers go out.

It is exported through Gio, because pydbus can neither return descriptors nor answer later
(docs/adr/0002-descriptors-through-gio.md). Rules:

1. Every method needs authorisation, properties none. Who the caller is goes along with the call
   where that decides what may be done.
2. Stage and Seal read whole files, OpenInactive and Seal wait a moment for a descriptor that is on
   its way out: they run in a worker thread, one at a time, and are answered when they end.
   Meanwhile properties are answered as ever and other methods are `Busy`.
3. Properties are answered by what was read last. After each call, and before an answer whose values
   are not fresh, they are read anew, and PropertiesChanged says what is new. How far a seal is, is
   answered as it stands, which costs nothing, and not told.
4. The bus is asked who the caller is without waiting: GLib ends a process that has no descriptors
   left when it waits for an answer. Answers come in the order of the calls, so calls keep theirs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gi.repository import Gio, GLib

from bootloader.authorisation import Callers, ask_for_uid, caller_of
from bootloader.call_values import Reply, reply_with, unpack_arguments, use_descriptor
from bootloader.caller import Caller
from bootloader.chain import Chain
from bootloader.control import BootControl
from bootloader.errors import BootloaderError, ErrorName
from bootloader.last_known import LastKnown
from bootloader.one_line import one_line
from bootloader.properties import INTERFACE, LIVE

OBJECT_PATH: Final = "/org/puad/Bootloader1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_XML: Final = Path(__file__).with_name("org.puad.Bootloader1.xml")
_MOST_SAID: Final = 1000
_LONG: Final = frozenset({"OpenInactive", "Stage", "Seal"})

_log = logging.getLogger(__name__)


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
        }
        self._by_caller: Mapping[str, Callable[..., None]] = {
            "MarkBad": control.mark_bad,
            "RequestReboot": self._request_reboot,
        }
        self._opening: Mapping[str, Callable[..., int]] = {
            "OpenInactive": control.open_inactive,
            "OpenActive": control.open_active,
        }
        self._known = LastKnown(control)
        self._known.refresh()  # nobody has heard anything else yet
        interface = Gio.DBusNodeInfo.new_for_xml(_XML.read_text()).lookup_interface(INTERFACE)
        bus.register_object(OBJECT_PATH, interface, self._on_call, None, None)

    def tell_changes(self) -> None:
        """Read the properties anew, and emit PropertiesChanged for what is new."""
        self._tell(self._known.refresh())

    def _tell(self, changed: Mapping[str, GLib.Variant]) -> None:
        if changed:
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
        ask_for_uid(self._bus, sender, lambda uid: self._begin(uid, method, arguments, invocation))

    def _begin(
        self,
        uid: int | None,
        method: str,
        arguments: GLib.Variant,
        invocation: Gio.DBusMethodInvocation,
    ) -> None:
        try:
            caller = caller_of(uid, self._callers, method)
            if self._is_working:
                what = "another OpenInactive, Stage or Seal is at work"
                raise BootloaderError(ErrorName.BUSY, what)  # noqa: TRY301 -- one way out for refusals
        except BootloaderError as error:
            _refuse(invocation, error)
            return
        descriptors = invocation.get_message().get_unix_fd_list()

        def perform() -> Reply:
            return self._perform(caller, method, arguments, descriptors)

        if method in _LONG:
            work = threading.Thread(target=self._work, args=(perform, invocation), name=method)
            try:
                work.start()
            except RuntimeError:
                what = "no thread can be started"
                _refuse(invocation, BootloaderError(ErrorName.BUSY, what))
                return
            self._is_working = True  # its end is heard by the main loop only, so after this
        else:
            _answer(invocation, perform)
            self.tell_changes()

    def _work(self, perform: Callable[[], Reply], invocation: Gio.DBusMethodInvocation) -> None:
        try:
            answer = perform()
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
        name = "" if method == "GetAll" else arguments.unpack()[1]
        if method == "Set":
            raise BootloaderError(ErrorName.NOT_SUPPORTED, "properties are read-only", on=name)
        if name not in LIVE:
            self._tell(self._known.refresh_if_old())
        if method == "GetAll":
            return GLib.Variant("(a{sv})", (self._known.get_all(),)), None
        return GLib.Variant("(v)", (self._known.get(name),)), None

    def _perform(
        self,
        caller: Caller,
        method: str,
        arguments: GLib.Variant,
        descriptors: Gio.UnixFDList | None,
    ) -> Reply:
        values = unpack_arguments(arguments)
        if method in self._plain:
            self._plain[method](*values)
        elif method in self._by_caller:
            self._by_caller[method](*values, caller)
        elif method in self._opening:
            return reply_with(self._opening[method](*values))
        elif method == "Seal":
            slot, *chain = values
            self._control.seal(slot, Chain(*chain))
        elif method == "Stage":
            slot, kind, index, size, sha256 = values
            use_descriptor(
                descriptors, index, lambda fd: self._control.stage(slot, kind, fd, size, sha256)
            )
        else:
            raise RuntimeError(f"{method} is in the XML but has no branch here")
        return None, None

    def _request_reboot(self, reason: str, caller: Caller) -> None:
        self._control.request_reboot(reason, caller)
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
