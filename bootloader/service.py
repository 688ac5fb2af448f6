# SPDX-License-Identifier: Apache-2.0
"""The service: everything put together, on the system bus, until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
from datetime import UTC, datetime
from typing import Final

from gi.repository import Gio, GLib

from bootloader import backends
from bootloader.access import SlotAccess
from bootloader.authorisation import Callers
from bootloader.backend import Setup
from bootloader.bus_object import BusObject
from bootloader.claim import LEASE_BROKEN
from bootloader.config import SLOT_NAMES, Settings
from bootloader.control import BootControl
from bootloader.device_slots import find_device_slots
from bootloader.durable import Files, storage_errors
from bootloader.file_slots import FileSlots
from bootloader.properties import INTERFACE
from bootloader.simulated_machine import SimulatedMachine
from bootloader.systemd_machine import SystemdMachine

try:
    from systemd.daemon import notify
except ImportError:  # python3-systemd is not everywhere: then nobody waits for READY either
    notify = None

_RUN_MODE: Final = 0o755
_STATE_MODE: Final = 0o700

_log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Offer boot control on the system bus.

    Returns:
        The exit code: 0 after SIGTERM, 69 when the bus or the name cannot be had or is lost.

    Raises:
        ConfigError: For an unknown back end.
        BootloaderError: When the state folders cannot be made, or the state cannot be read.
    """
    control = create_control(settings)
    try:
        bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    except GLib.Error as error:
        _log.error("the system bus cannot be reached: %s", error.message)
        return os.EX_UNAVAILABLE
    bus.set_exit_on_close(False)
    general = settings.general
    callers = Callers(general.user, general.health_user)
    published = BusObject(control, bus, callers, general.reboot_limit_s)
    loop = _Loop()

    def drop_broken_seals() -> bool:
        control.drop_broken_seals()
        published.tell_changes()
        return False  # once

    # the handler may interrupt any line of this thread: the work is left to the main loop
    signal.signal(LEASE_BROKEN, lambda *_: GLib.idle_add(drop_broken_seals))
    bus.connect("closed", lambda *_: loop.lose("the system bus is gone"))
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGTERM, loop.end, os.EX_OK)
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGINT, loop.end, os.EX_OK)
    Gio.bus_own_name_on_connection(
        bus,
        INTERFACE,
        Gio.BusNameOwnerFlags.DO_NOT_QUEUE,
        lambda *_: _ready(control),
        lambda *_: loop.lose(f"the name {INTERFACE} belongs to another process"),
    )
    return loop.run()


def create_control(settings: Settings) -> BootControl:
    """Boot control as the configuration describes it."""
    general, files = settings.general, Files()
    for folder, mode in ((general.run, _RUN_MODE), (general.state, _STATE_MODE)):
        with storage_errors(folder):
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
    setup = Setup(SLOT_NAMES, general.run, files)
    chosen = backends.create(general.backend, setup, settings.backend)

    def find_slots() -> SlotAccess:
        if settings.files:
            return FileSlots(settings.files, files)
        return find_device_slots(settings.devices, files)

    machine = SimulatedMachine(general.run, files) if settings.files else SystemdMachine()
    return BootControl(general, chosen, machine, find_slots, files, lambda: datetime.now(UTC))


class _Loop:
    """The main loop, with the exit code that it ends with."""

    def __init__(self) -> None:
        self._loop = GLib.MainLoop()
        self._code = os.EX_OK

    def run(self) -> int:
        self._loop.run()
        return self._code

    def end(self, code: int) -> bool:
        self._code = code
        self._loop.quit()
        return False  # once

    def lose(self, what: str) -> None:
        _log.error("boot control ends: %s", what)
        self.end(os.EX_UNAVAILABLE)


def _ready(control: BootControl) -> None:
    _log.info("boot control is ready, slot %s is booted", control.booted or "?")
    if notify:
        notify(f"READY=1\nSTATUS=slot {control.booted or '?'} is booted")
