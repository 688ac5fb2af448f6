# SPDX-License-Identifier: Apache-2.0
"""The first boot of a disk that came with ESP and slot a only: what is missing is added.

Rules:

1. Only the disk under the booted root is looked at, and nothing that is on it changes: existing
   partitions keep their place and size.
2. A partition that no definition knows means that this is not the disk that we think: refused.
3. The persistent partition gets the id that the kernel command line mounts, so the mount that
   waits for it in this very boot finds it.
4. When everything is there, nothing happens.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootloader.config import Settings
from bootloader.device_slots import describe_devices
from bootloader.devices import find_booted_disk
from bootloader.errors import BootloaderError
from bootloader.mounts import read_mounts
from bootloader.provision import target
from bootloader.provision.definitions import (
    STANDARD_FOLDER,
    Contents,
    file_systems,
    known_labels,
    write_definitions,
)
from bootloader.provision.layout import PERSIST, ROLES, Ids, labels, persist_id
from bootloader.provision.node_files import NodeFiles
from bootloader.provision.persistent import STANDARD_PASSWD, lay_persistent
from bootloader.provision.refusal import ProvisionError
from bootloader.provision.repart import Job, Partition, require_repart, run_repart
from bootloader.provision.tools import require_file_system_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBoot:
    """The disk that is completed.

    Attributes:
        disk: The disk of the booted root.
        settings: Boot control's configuration.
        ids: New ids, for what is made.
        command_line: The running kernel's.
        definitions: The folder of partition definitions.
        passwd: The users of the running system.
    """

    disk: Path
    settings: Settings
    ids: Ids
    command_line: str
    definitions: Path = STANDARD_FOLDER
    passwd: Path = STANDARD_PASSWD


def booted_disk() -> Path:
    """The disk that holds the booted root, found as boot control finds it.

    Raises:
        ProvisionError: When the root does not come from partitions of one disk.
    """
    try:
        return find_booted_disk(describe_devices(), read_mounts()).node
    except BootloaderError as error:
        raise ProvisionError(error.what, on="/") from error


def complete(boot: FirstBoot, *, dry_run: bool, say: Callable[[str], None]) -> list[Partition]:
    """Add the partitions that are missing; gives none when none is.

    Raises:
        ProvisionError: When the disk is not one that came with ESP and slot a.
    """
    target.require_root()
    names = labels(boot.settings.devices)
    there = target.partition_table(boot.disk)
    further = known_labels(boot.definitions) - set(names.values())
    missing = _find_missing(boot, names, further, there)
    if not missing:
        return []
    _require_tools(boot, [names[role] for role in missing])
    with tempfile.TemporaryDirectory(prefix="puad-provision-", dir=_scratch()) as folder:
        work = Path(folder)
        job = Job(
            disk=boot.disk,
            definitions=work / "repart.d",
            empty="refuse",
            seed=boot.ids.seed,
            offline=not target.is_device(boot.disk),
            scratch=work,
        )
        persist = work / "persist"
        persist.mkdir()
        lay_persistent(persist, NodeFiles(), boot.passwd, boot.settings.general)
        contents = {
            names[role]: _contents(boot, role, there.get(names[role]), there[names["a"]], persist)
            for role in ROLES
        } | _as_they_are(further, there)
        write_definitions(boot.definitions, job.definitions, contents, there=there)
        say(f"adding {', '.join(names[role] for role in missing)} to {boot.disk}")
        made = run_repart(job, dry_run=dry_run)
    return [partition for partition in made if partition.activity == "create"]


def _find_missing(
    boot: FirstBoot, names: Mapping[str, str], further: set[str], there: Mapping[str, Any]
) -> list[str]:
    unknown = sorted(set(there) - set(names.values()) - further)
    if unknown:
        raise ProvisionError(
            f"it holds a partition that is not ours: {', '.join(unknown)}",
            on=boot.disk,
            hint="partition the disk by hand, or remove the partition",
        )
    missing = [role for role in ROLES if names[role] not in there]
    if set(missing) - {"b", PERSIST}:
        raise ProvisionError(
            f"it has no partition {names[missing[0]]}",
            on=boot.disk,
            hint="a disk comes with ESP and slot a; puad-provision makes one",
        )
    return missing


def _as_they_are(further: set[str], there: Mapping[str, Any]) -> dict[str, Contents]:
    """An integrator's own partitions; one that is not there yet is made by its definition."""
    labels = sorted(further & set(there))
    return {label: Contents(there[label]["id"], there[label]["size"]) for label in labels}


def _require_tools(boot: FirstBoot, missing: list[str]) -> None:
    require_repart()
    require_file_system_tools(file_systems(boot.definitions, missing), offline=False)


def _contents(
    boot: FirstBoot,
    role: str,
    there: Mapping[str, Any] | None,
    slot: Mapping[str, Any],
    persist: Path,
) -> Contents:
    if there:
        return Contents(there["id"], there["size"])
    if role == PERSIST:
        part_id = persist_id(boot.command_line) or boot.ids.partitions[PERSIST]
        return Contents(part_id, tree=persist)
    return Contents(boot.ids.partitions[role], slot["size"])


def _scratch() -> str | None:
    """/run while /var and /tmp are not there yet."""
    return "/run" if os.access("/run", os.W_OK) else None
