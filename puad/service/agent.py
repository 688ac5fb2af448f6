# SPDX-License-Identifier: Apache-2.0
"""`org.puad.Agent1`: what others may ask of the daemon, and who may.

The object is exported with Gio over the introspection XML, because pydbus can neither take a
descriptor nor answer later (docs/adr/0002). Rules:

1. Anyone may read. Root may change something, and whom polkit lets (`puad.service.authorisation`).
2. No method works in the main loop: each is handed to the agent with a `Reply` for later.
3. Every error is a `PuadError`; its D-Bus name is its code (`puad.core.dbus_errors`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from gi.repository import Gio, GLib

from puad.core.dbus_errors import error_name
from puad.core.errors import Code, OperatorError, PuadError
from puad.effects.watch import Progress
from puad.render import HistoryView, StatusView, history_document, status_document
from puad.service.authorisation import authorise

BUS_NAME: Final = "org.puad.Agent1"
OBJECT_PATH: Final = "/org/puad/Agent1"
INTERFACE: Final = "org.puad.Agent1"
INTERFACE_VERSION: Final = 1
_XML: Final = Path(__file__).parent.parent / "org.puad.Agent1.xml"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_BUS_TIMEOUT_MS: Final = 5000
_LOG: Final = logging.getLogger(__name__)


class Reply(Protocol):
    """Where the answer to a call goes, now or later, once."""

    def done(self, *values: object) -> None:
        """Answer with the method's out arguments."""

    def failed(self, error: PuadError) -> None:
        """Answer with an error."""


class Agent(Protocol):
    """What the daemon does for the object."""

    def status_view(self) -> StatusView:
        """Everything that `puadctl status` shows."""

    def history_view(self) -> HistoryView:
        """Past update runs."""

    def check(self, reply: Reply) -> None:
        """Ask the orchestrator now; answer with the status document."""

    def operate(self, verb: str, reply: Reply) -> None:
        """Follow an operator's word: run, cancel, retry, rollback."""

    def install(self, folder: int, reply: Reply) -> None:
        """Install from an exported repository; the descriptor is the agent's from now on."""


class _Invocation:
    """A `Reply` over a Gio method invocation; it may be used from any thread."""

    def __init__(self, invocation: Gio.DBusMethodInvocation, signature: str) -> None:
        self._invocation = invocation
        self._signature = signature

    def done(self, *values: object) -> None:
        self._invocation.return_value(GLib.Variant(f"({self._signature})", values))

    def failed(self, error: PuadError) -> None:
        self._invocation.return_dbus_error(error_name(error.code), str(error))


class AgentObject:
    """The exported object.

    Args:
        agent: Does the work.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._connection: Gio.DBusConnection | None = None
        self._interface = Gio.DBusNodeInfo.new_for_xml(_XML.read_text("utf-8")).interfaces[0]
        self._calls: dict[str, Callable[[Gio.DBusMethodInvocation, Reply], None]] = {
            "Status": lambda _, reply: reply.done(json.dumps(self._status())),
            "History": lambda _, reply: reply.done(
                json.dumps(history_document(agent.history_view()))
            ),
            "Check": lambda _, reply: agent.check(reply),
            "Run": lambda _, reply: agent.operate("run", reply),
            "Install": self._install,
            "Cancel": lambda _, reply: agent.operate("cancel", reply),
            "Retry": lambda _, reply: agent.operate("retry", reply),
            "Rollback": lambda _, reply: agent.operate("rollback", reply),
        }
        self._open_to_all = {"Status", "History"}

    def export(self, connection: Gio.DBusConnection) -> None:
        """Put the object on the bus, then ask for the name, so that nobody finds it empty."""
        self._connection = connection
        connection.register_object(OBJECT_PATH, self._interface, self._on_call, None, None)
        reply = connection.call_sync(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "RequestName",
            GLib.Variant("(su)", (BUS_NAME, _DO_NOT_QUEUE)),
            GLib.VariantType("(u)"),
            Gio.DBusCallFlags.NONE,
            _BUS_TIMEOUT_MS,
            None,
        )
        if reply.unpack()[0] != _PRIMARY_OWNER:
            what = "Another puad is running: its D-Bus name is taken"
            raise OperatorError(Code.BUSY, what, on=BUS_NAME)

    def state_changed(self, run_id: str, before: str, state: str) -> None:
        """Tell the bus that a run changed its state."""
        self._emit(INTERFACE, "StateChanged", GLib.Variant("(sss)", (run_id, before, state)))
        self._changed("State", GLib.Variant("s", state))

    def progressed(self, progress: Progress) -> None:
        """Tell the bus how far an install is."""
        self._changed("Progress", _progress(progress))

    def _status(self) -> dict[str, Any]:
        return status_document(self._agent.status_view())

    def _install(self, invocation: Gio.DBusMethodInvocation, reply: Reply) -> None:
        descriptors = invocation.get_message().get_unix_fd_list()
        if descriptors is None or descriptors.get_length() != 1:
            raise OperatorError(Code.INTERNAL, "Install takes one descriptor of a folder")
        self._agent.install(descriptors.get(0), reply)

    def _on_call(
        self,
        connection: Gio.DBusConnection,
        sender: str,
        _path: str,
        interface: str,
        method: str,
        parameters: GLib.Variant,
        invocation: Gio.DBusMethodInvocation,
    ) -> None:
        if interface == _PROPERTIES:
            self._on_property_call(method, parameters, invocation)
            return
        info = self._interface.lookup_method(method)
        reply = _Invocation(invocation, "".join(arg.signature for arg in info.out_args))
        if method in self._open_to_all:
            self._carry_out(method, invocation, reply)
            return

        def go_on(refusal: PuadError | None) -> None:
            if refusal is None:
                self._carry_out(method, invocation, reply)
            else:
                reply.failed(refusal)

        waits = invocation.get_message().get_flags() & _MAY_ASK_A_PERSON
        try:
            authorise(connection, method, sender, interactive=bool(waits), then=go_on)
        except GLib.Error as error:
            what = f"The bus does not say who calls {method}: {error.message}"
            reply.failed(OperatorError(Code.NOT_ALLOWED, what))

    def _carry_out(self, method: str, invocation: Gio.DBusMethodInvocation, reply: Reply) -> None:
        try:
            self._calls[method](invocation, reply)
        except PuadError as error:
            reply.failed(error)
        except Exception as error:  # noqa: BLE001 - a bug is answered, so that no caller waits for ever
            _LOG.exception("%s: a bug", method)
            reply.failed(PuadError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

    def _on_property_call(
        self, method: str, parameters: GLib.Variant, invocation: Gio.DBusMethodInvocation
    ) -> None:
        values = self._properties()
        name = parameters.unpack()[1] if method == "Get" else ""
        if method == "GetAll":
            invocation.return_value(GLib.Variant("(a{sv})", (values,)))
        elif name in values:
            invocation.return_value(GLib.Variant("(v)", (values[name],)))
        else:
            error = "org.freedesktop.DBus.Error.PropertyReadOnly"
            invocation.return_dbus_error(error, "Every property of puad is read-only")

    def _properties(self) -> dict[str, GLib.Variant]:
        view = self._agent.status_view()
        shown = view.progress
        progress = Progress(shown.phase, shown.done_bytes, shown.total_bytes)
        return {
            "InterfaceVersion": GLib.Variant("u", INTERFACE_VERSION),
            "State": GLib.Variant("s", view.state),
            "Progress": _progress(progress),
        }

    def _changed(self, name: str, value: GLib.Variant) -> None:
        body = GLib.Variant("(sa{sv}as)", (INTERFACE, {name: value}, []))
        self._emit(_PROPERTIES, "PropertiesChanged", body)

    def _emit(self, interface: str, signal: str, body: GLib.Variant) -> None:
        if self._connection is not None and not self._connection.is_closed():
            self._connection.emit_signal(None, OBJECT_PATH, interface, signal, body)


def _progress(progress: Progress) -> GLib.Variant:
    return GLib.Variant("(tts)", (progress.done_bytes, progress.total_bytes, progress.phase))


_MAY_ASK_A_PERSON: Final = Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION
_DO_NOT_QUEUE: Final = 4
_PRIMARY_OWNER: Final = 1
