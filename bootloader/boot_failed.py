# SPDX-License-Identifier: Apache-2.0
"""The program `puad-boot-failed`: leads a boot that has failed back to the inactive slot.

It runs where nothing else may: in emergency and rescue mode, and when the boot is not marked good
in time. So it asks no D-Bus daemon and no udev, needs no /var, mounts the ESP or boot partition for
itself when nobody has, and gives every step a limit. Rules:

1. The node reboots if the booted slot is not good and another one is, unless the boot loader is
   pinned to the booted one, which would come again for ever. How many tries are left does not
   matter: on the last one the counter says 0 already.
2. On a good slot, with none to go to, or when that cannot be told, the node stays and says why.
   A slot whose try was not counted would come again for ever: it is given up before the reboot, and
   the node stays when that cannot be written.
3. Without a configuration that can be followed, the boot loader is the one that has an entry of
   the booted slot, by its defaults: a bad file of a new image must not hold the node on it.
4. What happened is told to the kernel's log first and then to the journal, which is made to write
   it down before the reboot.

    puad-boot-failed [REASON]       REASON is a word for the journal, like `emergency`
    puad-boot-failed --deadline     says nothing when the boot is complete and the slot is good

A complete boot whose slot could not be marked good in time has failed as well: it would be assessed
for ever, and take no update.

Exit codes: 0 nothing to do, or the reboot was asked for; 1 it could not be told what to do;
64 wrong use.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from bootloader import backends, command, config, last_words, namespaces
from bootloader.arguments import Parser
from bootloader.backend import Backend, Setup
from bootloader.config import SLOT_NAMES, DeviceSettings, General, Settings
from bootloader.device_slots import describe_devices
from bootloader.devices import BlockDevice, find_partition, find_slots
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ConfigError, ErrorName
from bootloader.file_slots import FileSlots
from bootloader.mounts import mount_at, read_mounts
from bootloader.one_line import one_line
from bootloader.reboot import force_reboot
from bootloader.start_jobs import waits_for
from bootloader.tables import Section
from bootloader.time_limit import time_limit
from bootloader.way_back import Decision, decide

# all limits together lie well below what systemd gives the services that run this
_ASK_SYSTEMD_S: Final = 10.0
_FIND_OUT_S: Final = 60
_SYSTEMCTL: Final = "/usr/bin/systemctl"
_OWN_UNIT: Final = "puad-boot-failed.service"
_FAILED: Final = 1
_EXIT_CODES: Final = {
    os.EX_OK: "nothing to do, or the reboot was asked for",
    _FAILED: "it could not be told what to do, and the node stays",
    os.EX_USAGE: "wrong use",
}
# the specification of the ESP wants FAT; a boot partition of GRUB or U-Boot may be ext4, and what
# was written to it last may still stand in its journal, which a read-only mount reads too
_FILE_SYSTEMS: Final = ("vfat", "ext4")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a boot loader says.

    Attributes:
        boot_loader: The boot loader.
        booted: The booted slot.
        decision: What is to be done.
        is_known: Whether the boot loader has an entry of that slot.
    """

    boot_loader: Backend
    booted: str
    decision: Decision
    is_known: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code, if it returns."""
    given = _parser().parse_args(argv)
    reason = "deadline" if given.deadline else one_line(given.reason)
    try:
        with time_limit(_FIND_OUT_S):  # a disk that does not answer must not hold us for ever
            found = _look(given.config)
            booted, decision = found.booted, _decide_uncounted(found)
    except (BootloaderError, ConfigError, OSError) as error:
        last_words.tell("?", reason, f"the node stays as it is: {error}")
        return _FAILED
    if given.deadline and decision.is_good and _is_boot_complete():
        return os.EX_OK
    consequence = "the node reboots" if decision.reboots else "the node stays as it is"
    waiting = waits_for(but=_OWN_UNIT) if given.deadline else ""
    why = "; ".join(filter(None, (decision.why, waiting)))
    last_words.tell(booted, reason, f"{consequence}: {why}")
    if decision.reboots:
        last_words.keep()
        force_reboot()
    return os.EX_OK


def _is_boot_complete() -> bool:
    # not as boot control asks: as root systemctl talks to systemd over its own socket
    question = ("is-active", "--quiet", "boot-complete.target")
    return command.try_within(_ASK_SYSTEMD_S, _SYSTEMCTL, *question) == 0


def _decide_uncounted(found: _Found) -> Decision:
    """What is to be done, once a slot that was not counted has been given up."""
    if not found.decision.reboots or not found.boot_loader.is_uncounted(found.booted):
        return found.decision
    try:
        found.boot_loader.mark_bad(found.booted)
    except BootloaderError as error:
        why = f"slot {found.booted} was not counted, and would come again for ever: {error}"
        return Decision(reboots=False, why=why)
    return replace(found.decision, why=f"{found.decision.why}; it was not counted, and is given up")


def _look(path: Path) -> _Found:
    """The booted slot, and what is to be done."""
    try:
        settings = config.load(path)
        boot_loader = _create(settings)
    except ConfigError as error:
        return _look_without(error)
    return _judge(settings, boot_loader)


def _look_without(fault: ConfigError) -> _Found:
    """The same without a configuration: by every boot loader that knows the booted slot.

    Two of them may read the same partition; then the node reboots only if they agree on it.
    """
    judged = []
    for name in backends.known():
        settings = Settings(General(name), Section({}, f"[{name}]"), DeviceSettings())
        try:
            judged.append(_judge(settings, _create(settings)))
        except (BootloaderError, ConfigError, OSError):  # then it is not the one that booted us
            continue
    known = [found for found in judged if found.is_known]
    if not known:
        what = f"{fault.what}; and by its defaults no boot loader knows the booted slot"
        raise ConfigError(what, on=fault.on)
    found = min(known, key=lambda each: each.decision.reboots)
    why = f"{found.decision.why}; this is by defaults, because {fault}"
    return replace(found, decision=replace(found.decision, why=why))


def _create(settings: Settings) -> Backend:
    general = settings.general
    setup = Setup(SLOT_NAMES, general.run, Files())
    return backends.create(general.backend, setup, settings.backend)


def _judge(settings: Settings, boot_loader: Backend) -> _Found:
    booted = _find_booted(settings, boot_loader.partition())
    statuses = {slot: boot_loader.status(slot) for slot in SLOT_NAMES}
    decision = decide(booted, statuses, boot_loader.pinned_slots())
    return _Found(boot_loader, booted, decision, statuses[booted].has_entry)


def _find_booted(settings: Settings, place: Path | None) -> str:
    """The booted slot; the boot partition is mounted at `place` from now on."""
    if settings.files:
        return FileSlots(settings.files, Files()).booted
    devices = describe_devices()
    found = find_slots(devices, read_mounts(), settings.devices.slots)
    if place is not None and not mount_at(read_mounts(), PurePosixPath(place)):
        _mount_privately(find_partition(devices, found, settings.devices.esp), place)
    return found.booted


def _mount_privately(partition: BlockDevice, place: Path) -> None:
    """Mount the boot partition where only this process sees it."""
    namespaces.unshare(namespaces.NEW_MOUNTS)
    namespaces.mount("none", Path("/"), "none", namespaces.PRIVATE)
    refused: list[str] = []
    for kind in _FILE_SYSTEMS:
        try:
            namespaces.mount(str(partition.node), place, kind, namespaces.READ_ONLY)
        except OSError as error:
            refused.append(f"{kind}: {os.strerror(error.errno or 0)}")
        else:
            return
    what = f"the boot partition cannot be mounted at {place}; {'; '.join(refused)}"
    raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(partition.node))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="puad-boot-failed", description="Lead a failed boot back to the inactive slot."
    )
    parser.add_version()
    parser.exit_codes = _EXIT_CODES
    text = "a word for the journal, like emergency (default: %(default)s)"
    parser.add_argument("reason", nargs="?", default="unknown", metavar="REASON", help=text)
    parser.add_argument(
        "--deadline",
        action="store_true",
        help="do nothing when the boot is complete and the slot is good",
    )
    config.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
