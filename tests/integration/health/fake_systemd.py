# SPDX-License-Identifier: Apache-2.0
"""Plays systemd's manager object: `python3 fake_systemd.py FILE`.

Answers come from FILE, a JSON document that a test may replace at any time: `state`, `jobs`
([unit, state] each), `failed` (unit names), `own_unit` (that of whoever asks; empty for none).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from gi.repository import Gio, GLib

_XML: Final = """
<node><interface name="org.freedesktop.systemd1.Manager">
  <property name="SystemState" type="s" access="read"/>
  <method name="ListJobs"><arg type="a(usssoo)" direction="out"/></method>
  <method name="ListUnitsFiltered">
    <arg type="as" direction="in"/><arg type="a(ssssssouso)" direction="out"/>
  </method>
  <method name="GetUnitByPID">
    <arg type="u" direction="in"/><arg type="o" direction="out"/>
  </method>
</interface></node>
"""


def _answers() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return document


def _path(unit: str) -> str:
    return "/unit/" + "".join(c if c.isalnum() else f"_{ord(c):x}" for c in unit)


def _call(*arguments: Any) -> None:
    method, values, invocation = arguments[4:7]
    answers = _answers()
    if method == "ListJobs":
        jobs = [
            (number, unit, "start", state, f"/job/{number}", _path(unit))
            for number, (unit, state) in enumerate(answers["jobs"])
        ]
        invocation.return_value(GLib.Variant("(a(usssoo))", (jobs,)))
    elif method == "ListUnitsFiltered" and values.unpack() == (["failed"],):
        units = [
            (unit, "", "loaded", "failed", "failed", "", _path(unit), 0, "", "/")
            for unit in answers["failed"]
        ]
        invocation.return_value(GLib.Variant("(a(ssssssouso))", (units,)))
    elif method == "GetUnitByPID" and answers["own_unit"]:
        invocation.return_value(GLib.Variant("(o)", (_path(answers["own_unit"]),)))
    else:
        invocation.return_dbus_error("org.freedesktop.systemd1.NoUnitForPID", "there is none")


def _get(*_: Any) -> GLib.Variant:
    return GLib.Variant("s", _answers()["state"])


def main() -> None:
    connection = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    (interface,) = Gio.DBusNodeInfo.new_for_xml(_XML).interfaces
    connection.register_object("/org/freedesktop/systemd1", interface, _call, _get, None)
    Gio.bus_own_name_on_connection(
        connection, "org.freedesktop.systemd1", Gio.BusNameOwnerFlags.NONE, None, None
    )
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
