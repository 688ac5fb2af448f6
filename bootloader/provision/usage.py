# SPDX-License-Identifier: Apache-2.0
"""Options that contradict each other, or that would be passed over in silence. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final

_BLANK_DISK_ONLY: Final = (
    "root_image",
    "linux",
    "initrd",
    "uki",
    "boot_loader",
    "size",
    "slot_size",
    "esp_size",
    "node_config",
    "token",
    "ca",
    "root_id",
    "machine_id",
    "factory",
    "wipe",
)
_NODE_FILES: Final = ("node_config", "token", "ca")


def find_fault(given: argparse.Namespace) -> str:
    """What is wrong with the given options; empty when they fit together."""
    if given.first_boot:
        unused = _given(given, _BLANK_DISK_ONLY)
        return f"--first-boot only adds what is missing; leave {unused} away" if unused else ""
    if not given.disk or not given.root_image:
        return "a disk and --root-image are needed, or --first-boot"
    return _boot_files_fault(given) or (_factory_fault(given) if given.factory else "")


def _boot_files_fault(given: argparse.Namespace) -> str:
    if given.uki:
        unused = _given(given, ("linux", "initrd"))
        return f"a UKI holds its kernel and initrd; leave {unused} away" if unused else ""
    return "" if given.linux else "give --linux, with or without --initrd, or --uki"


def _factory_fault(given: argparse.Namespace) -> str:
    unused = _given(given, _NODE_FILES)
    if unused:
        return (
            "a factory's disk has no persistent partition yet; "
            f"leave {unused} away and bring these files to the node after its first boot"
        )
    if given.machine_id not in {None, "firmware"}:
        return "many disks cannot share one machine-id; with --factory it is `firmware`"
    if given.uki and given.root_id:
        return "the command line inside the UKI does not ask for a first boot; leave --factory away"
    return ""


def _given(given: argparse.Namespace, names: Iterable[str]) -> str:
    words = [name for name in names if getattr(given, name) not in {None, False}]
    return ", ".join(f"--{word.replace('_', '-')}" for word in words)
