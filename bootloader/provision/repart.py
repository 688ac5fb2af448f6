# SPDX-License-Identifier: Apache-2.0
"""systemd-repart: the program that makes partition table, partitions and file systems."""

from __future__ import annotations

import json
import os
import re
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bootloader.provision import target
from bootloader.provision.refusal import ProvisionError
from bootloader.provision.tools import find_tool, run_tool

_NAME: Final = "systemd-repart"
_MIN_VERSION: Final = 254
_VERSION: Final = re.compile(r"systemd ([0-9]{1,6})\b")
_LIMIT_S: Final = 1800
_VERSION_LIMIT_S: Final = 30
_SHOWN: Final = 600
_NO_ROOM: Final = "Can't fit requested partitions"
# A super block that a power cut tears between two of its sectors fails its own checksum, and then
# the kernel mounts nothing. Without that checksum its halves fit each other.
_EXT4_OPTIONS: Final = "-O ^metadata_csum,^metadata_csum_seed"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as systemd-repart plans or has made it.

    Attributes:
        label: Its PARTLABEL.
        part_id: Its PARTUUID.
        offset: Its first byte.
        size: Its size in bytes.
        activity: `create`, `resize` or `unchanged`.
    """

    label: str
    part_id: str
    offset: int
    size: int
    activity: str

    def document(self) -> dict[str, Any]:
        """The partition for `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Job:
    """One run of systemd-repart.

    Attributes:
        disk: The disk or file.
        definitions: The folder of its definitions.
        empty: Its `--empty=`: `require` a blank disk, `force` a new table, `refuse` a blank disk.
        seed: What the disk's id comes from.
        offline: Whether to work without loop devices and mounts, on a plain file.
        scratch: A folder for its temporary files.
    """

    disk: Path
    definitions: Path
    empty: str
    seed: uuid.UUID
    offline: bool
    scratch: Path


def run_repart(job: Job, *, dry_run: bool) -> list[Partition]:
    """Plan the partitions, or make them.

    Raises:
        ProvisionError: With what it said, when it fails or takes too long.
    """
    environment = {"TMPDIR": str(job.scratch), "SYSTEMD_REPART_MKFS_OPTIONS_EXT4": _EXT4_OPTIONS}
    if "SOURCE_DATE_EPOCH" in os.environ:
        environment["SOURCE_DATE_EPOCH"] = os.environ["SOURCE_DATE_EPOCH"]
    options = _options(job, dry_run=dry_run)
    done = run_tool(_NAME, *options, limit_s=_LIMIT_S, environment=environment)
    if done.code:
        raise _failure(job, done.complaint, dry_run=dry_run)
    return _parse(done.output, job.disk)


def _options(job: Job, *, dry_run: bool) -> list[str]:
    return [
        f"--definitions={job.definitions}",
        f"--dry-run={'yes' if dry_run else 'no'}",
        f"--empty={job.empty}",
        f"--seed={job.seed}",
        # firmware reads a FAT only with the disk's own sector size, which is not what it would take
        f"--sector-size={target.sector_size(job.disk)}",
        f"--offline={'yes' if job.offline else 'auto'}",
        "--json=short",
        "--no-pager",
        str(job.disk),
    ]


def require_repart() -> None:
    """Check that systemd-repart is there, and new enough.

    Raises:
        ProvisionError: When it is not.
    """
    found = _VERSION.match(run_tool(_NAME, "--version", limit_s=_VERSION_LIMIT_S).output)
    if not found or int(found[1]) < _MIN_VERSION:
        raise ProvisionError(
            f"its version is {found[1] if found else 'unknown'}, and {_MIN_VERSION} is needed",
            on=find_tool(_NAME),
            hint="run puad-provision under Debian 13 or later, in a container if need be",
            code=os.EX_UNAVAILABLE,
        )


def _failure(job: Job, said: str, *, dry_run: bool) -> ProvisionError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    no_room = next((line for line in lines if _NO_ROOM in line), "")
    if not no_room:
        last = lines[-1][-_SHOWN:] if lines else "it says no more"
        code = os.EX_CANTCREAT if dry_run else os.EX_IOERR
        return ProvisionError(f"{_NAME} failed: {last}", on=job.disk, code=code)
    hint = "give a larger disk or --size, or a smaller --slot-size or --esp-size"
    if job.empty == "refuse":  # the slot that is there tells how large the other one is
        hint = "the disk is too small for slot b and the persistent partition: take a larger one"
    return ProvisionError(f"the partitions do not fit: {no_room[:_SHOWN]}", on=job.disk, hint=hint)


def _parse(output: str, disk: Path) -> list[Partition]:
    try:
        found = json.loads(output)
        return [
            Partition(
                label=item["label"],
                part_id=item["uuid"],
                offset=int(item["offset"]),
                size=int(item["raw_size"]),
                activity=item["activity"],
            )
            for item in found
        ]
    except (ValueError, KeyError, TypeError) as error:
        what = f"systemd-repart's answer cannot be read: {error!r}"
        raise ProvisionError(what, on=disk, code=os.EX_SOFTWARE) from error
