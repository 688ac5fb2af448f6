# SPDX-License-Identifier: Apache-2.0
"""A D-Bus object that plays a script: `python3 scripted_object.py NAME XML SCRIPT CALLS`.

It exports the interface of the introspection file XML under the bus name NAME. SCRIPT is a JSON
file: `properties` {name: [signature, value]} and `methods` {name: reply}, where a reply is a list
of steps, played in order when the method is called:

- {"returns": [signature, value]}, {"error": name, "message": text}, {"hang": true}
- {"file": path, "writable": bool}: return a descriptor of that file; `"copies": n` sends it n
  times and names the last
- {"after_ms": n}: wait, with the main loop running
- {"signal": name, "values": [signature, value]}
- {"property": name, "value": [signature, value]}: change it and emit PropertiesChanged
- {"method": name, "reply": [step, …]}: reply otherwise from now on
- {"exit": true}

Each call is appended to CALLS as a JSON line, with the bytes of a passed file in hexadecimal.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gi.repository import Gio, GLib

Step = dict[str, Any]


def variant(signature: str, value: Any) -> GLib.Variant:
    if signature == "aa{sv}":
        value = [{key: GLib.Variant(*pair) for key, pair in row.items()} for row in value]
    return GLib.Variant(signature, value)


class ScriptedObject:
    def __init__(self, interface: Gio.DBusInterfaceInfo, script: Path, calls: Path) -> None:
        content = json.loads(script.read_text())
        self.properties: dict[str, Any] = content.get("properties", {})
        self.methods: dict[str, list[Step]] = content.get("methods", {})
        self.interface = interface
        self.path = "/" + interface.name.replace(".", "/")
        self.calls = calls
        self.connection = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
        self.hanging: list[Gio.DBusMethodInvocation] = []

    def export(self, name: str) -> None:
        self.connection.register_object(self.path, self.interface, self.call, self.get, None)
        Gio.bus_own_name_on_connection(
            self.connection, name, Gio.BusNameOwnerFlags.NONE, None, None
        )

    def get(self, *arguments: Any) -> GLib.Variant:
        return variant(*self.properties[arguments[4]])

    def call(self, *arguments: Any) -> None:
        method, values, invocation = arguments[4:7]
        files = invocation.get_message().get_unix_fd_list()
        contents = [self.drain(file) for file in files.steal_fds()] if files else []
        with self.calls.open("a") as calls:
            call = {"method": method, "values": values.unpack(), "files": contents}
            calls.write(json.dumps(call) + "\n")
        steps = self.methods.get(method) or [{"returns": ["()", []]}]
        self.play(steps, invocation)

    @staticmethod
    def drain(file: int) -> str:
        try:
            if stat.S_ISDIR(os.fstat(file).st_mode):
                return ",".join(sorted(os.listdir(file)))
            return os.pread(file, 1 << 20, 0).hex()
        finally:
            os.close(file)

    def play(self, steps: list[Step], invocation: Gio.DBusMethodInvocation) -> None:
        for place, step in enumerate(steps):
            if "after_ms" in step:
                rest = steps[place + 1 :]
                self.later(step["after_ms"], partial(self.play, rest, invocation))
                return
            self.perform(step, invocation)

    @staticmethod
    def later(wait_ms: int, then: Callable[[], None]) -> None:
        def once() -> bool:
            then()
            return False

        GLib.timeout_add(wait_ms, once)

    def perform(self, step: Step, invocation: Gio.DBusMethodInvocation) -> None:
        match step:
            case {"returns": [signature, value]}:
                invocation.return_value(variant(signature, value))
            case {"error": name, "message": text}:
                invocation.return_dbus_error(name, text)
            case {"file": path, "writable": writable}:
                files = Gio.UnixFDList.new()
                file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
                for _ in range(step.get("copies", 1)):
                    place = files.append(file)
                os.close(file)
                invocation.return_value_with_unix_fd_list(GLib.Variant("(h)", (place,)), files)
            case {"hang": True}:
                self.hanging.append(invocation)
            case {"exit": True}:
                self.connection.flush_sync(None)
                os._exit(0)
            case {"method": name, "reply": reply}:
                self.methods[name] = reply
            case _:
                self.announce(step)

    def announce(self, step: Step) -> None:
        match step:
            case {"signal": name, "values": values}:
                self.emit(self.interface.name, name, variant(*values))
            case {"property": name, "value": value}:
                self.properties[name] = value
                changed = {name: variant(*value)}
                body = GLib.Variant("(sa{sv}as)", (self.interface.name, changed, []))
                self.emit("org.freedesktop.DBus.Properties", "PropertiesChanged", body)
            case _:
                raise ValueError(step)

    def emit(self, interface: str, name: str, body: GLib.Variant) -> None:
        self.connection.emit_signal(None, self.path, interface, name, body)


def main() -> None:
    name, xml, script, calls = sys.argv[1:5]
    (interface,) = Gio.DBusNodeInfo.new_for_xml(Path(xml).read_text()).interfaces
    ScriptedObject(interface, Path(script), Path(calls)).export(name)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
