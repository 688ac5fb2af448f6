# SPDX-License-Identifier: Apache-2.0
"""Plays logind's list of inhibitors: `python3 fake_logind.py FILE`.

FILE is a JSON list of rows [what, who, why, mode, uid, pid], which a test may replace at any time;
a file that holds no list makes every call fail.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from gi.repository import Gio, GLib

_XML: Final = """
<node><interface name="org.freedesktop.login1.Manager">
  <method name="ListInhibitors"><arg type="a(ssssuu)" direction="out"/></method>
</interface></node>
"""


def _call(*arguments: Any) -> None:
    invocation = arguments[6]
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if isinstance(rows, list):
        invocation.return_value(GLib.Variant("(a(ssssuu))", (list(map(tuple, rows)),)))
    else:
        invocation.return_dbus_error("org.freedesktop.DBus.Error.Failed", "not today")


def main() -> None:
    connection = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    (interface,) = Gio.DBusNodeInfo.new_for_xml(_XML).interfaces
    connection.register_object("/org/freedesktop/login1", interface, _call, None, None)
    Gio.bus_own_name_on_connection(
        connection, "org.freedesktop.login1", Gio.BusNameOwnerFlags.NONE, None, None
    )
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
