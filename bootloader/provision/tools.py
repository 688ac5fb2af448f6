# SPDX-License-Identifier: Apache-2.0
"""The programs that puad-provision runs: where they are, and which package has a missing one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bootloader import command
from bootloader.command import SEARCH_PATH, Finished
from bootloader.provision.refusal import ProvisionError

# Debian's names; Fedora's are the same, but that its util-linux has sfdisk.
_PACKAGES: Final = {
    "mcopy": "mtools",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mkfs.xfs": "xfsprogs",
    "sfdisk": "fdisk or util-linux",
    "systemd-repart": "systemd-repart or systemd, 254 or later",
    "wipefs": "util-linux",
}


def find_tool(name: str) -> Path:
    """Where a program is.

    Raises:
        ProvisionError: When it is not installed, with the package that has it.
    """
    found = shutil.which(name, path=SEARCH_PATH)
    if found:
        return Path(found)
    raise ProvisionError(
        "it is not installed",
        on=name,
        hint=f"install the package {_PACKAGES[name]}" if name in _PACKAGES else "",
        code=os.EX_UNAVAILABLE,
    )


def run_tool(
    name: str,
    *options: str,
    limit_s: float,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Finished:
    """Run a program to its end, whatever that is.

    Args:
        name: Its name.
        options: Its arguments.
        limit_s: How long it may take.
        environment: Variables beside those that every program gets.

    Raises:
        ProvisionError: When it is not installed, does not run or takes too long.
    """
    program = str(find_tool(name))
    try:
        return command.finish(program, *options, limit_s=limit_s, environment=environment)
    except OSError as error:
        what = f"it did not run to its end: {error}"
        raise ProvisionError(what, on=program, code=os.EX_OSERR) from error


def require_file_system_tools(formats: Iterable[str], *, offline: bool) -> None:
    """Check that file systems of these formats can be made.

    Args:
        formats: Names of file systems, as `Format=` has them.
        offline: Whether they are filled without being mounted, which FAT needs mcopy for.

    Raises:
        ProvisionError: Naming the first program that is missing.
    """
    for name in sorted(set(formats)):
        if f"mkfs.{name}" in _PACKAGES:  # systemd-repart itself knows what the others need
            find_tool(f"mkfs.{name}")
        if name == "vfat" and offline:
            find_tool("mcopy")
