# SPDX-License-Identifier: Apache-2.0
"""Reboot and boot state of a real node, against stand-ins of logind and systemd on a bus."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gi.repository import GLib

from tests.integration.bootloader.conftest import (
    REPOSITORY,
    connection,
    private_bus,
    running,
    wait_until,
)

pytestmark = pytest.mark.dbus
STAND_IN = '''
import sys
from gi.repository import Gio, GLib

XML = """<node>
  <interface name="org.freedesktop.login1.Manager">
    <method name="SetWallMessage">
      <arg name="message" type="s" direction="in"/><arg name="enable" type="b" direction="in"/>
    </method>
    <method name="RebootWithFlags"><arg name="flags" type="t" direction="in"/></method>
  </interface>
  <interface name="org.freedesktop.systemd1.Manager">
    <method name="GetUnit">
      <arg name="name" type="s" direction="in"/><arg name="unit" type="o" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.systemd1.Unit">
    <property name="ActiveState" type="s" access="read"/>
  </interface>
</node>"""
state, log = sys.argv[1:]

def answer(_bus, _sender, _path, _interface, method, arguments, invocation):
    with open(log, "a") as file:
        print(method, *arguments.unpack(), file=file)
    if method == "RebootWithFlags" and state == "refused":
        invocation.return_dbus_error("org.freedesktop.login1.OperationInProgress", "not now")
    elif method == "SetWallMessage" and state == "inactive":  # the wish is told, and may be refused
        invocation.return_dbus_error("org.freedesktop.DBus.Error.AccessDenied", "no")
    elif method == "GetUnit":
        invocation.return_value(GLib.Variant("(o)", ("/unit",)))
    elif method == "Get":
        invocation.return_value(GLib.Variant("(v)", (GLib.Variant("s", state),)))
    else:
        invocation.return_value(None)

bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
node = Gio.DBusNodeInfo.new_for_xml(XML)
for path, interface in [
    ("/org/freedesktop/login1", "org.freedesktop.login1.Manager"),
    ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"),
    ("/unit", "org.freedesktop.systemd1.Unit"),
]:
    bus.register_object(path, node.lookup_interface(interface), answer, None, None)
for name in ("org.freedesktop.login1", "org.freedesktop.systemd1"):
    Gio.bus_own_name_on_connection(bus, name, Gio.BusNameOwnerFlags.NONE, None, None)
GLib.MainLoop().run()
'''
ASK = """
from bootloader.errors import BootloaderError
from bootloader.systemd_machine import SystemdMachine
machine = SystemdMachine()
try:
    machine.request_reboot("update")
except BootloaderError as error:
    print(error.name, end=" ")
print(machine.is_boot_complete())
"""


@pytest.fixture
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, private_bus(Path(folder)) as address:
        yield address


def ask(address: str) -> str:
    environment = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": address, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("state", "said"),
    [("active", "True"), ("inactive", "False"), ("refused", "RebootFailed False")],
)
def test_reboot_and_boot_state_come_from_systemd(
    address: str, tmp_path: Path, state: str, said: str
) -> None:
    log = tmp_path / "log"
    environment = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": address}
    command = (sys.executable, "-c", STAND_IN, state, str(log))
    with running(*command, env=environment), connection(address) as bus:

        def is_there() -> bool:
            asked = GLib.Variant("(s)", ("org.freedesktop.systemd1",))
            name = "org.freedesktop.DBus"
            answer = bus.call_sync(name, "/", name, "NameHasOwner", asked, None, 0, -1, None)
            return bool(answer.unpack()[0])

        wait_until(is_there, "the stand-in is on the bus")
        assert ask(address) == said
    calls = log.read_text().splitlines()
    assert calls[:2] == ["SetWallMessage update True", "RebootWithFlags 16"]
    assert calls[2] == "GetUnit boot-complete.target"


def test_node_without_logind_says_that_the_reboot_failed(address: str) -> None:
    assert ask(address) == "RebootFailed False"
