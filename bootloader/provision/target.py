# SPDX-License-Identifier: Apache-2.0
"""The target: the disk or file that is provisioned, and whether it may be written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bootloader.provision.refusal import ProvisionError
from bootloader.provision.tools import run_tool

_LOOPS: Final = Path("/sys/block")
_LIMIT_S: Final = 120
_SHOWN: Final = 400
_READ_BYTES: Final = 1 << 20
SECTOR_BYTES: Final = 512


def is_device(disk: Path) -> bool:
    """Whether the target is a block device, and not a file.

    Raises:
        ProvisionError: When it is neither, or not there.
    """
    try:
        mode = disk.stat().st_mode
    except OSError as error:
        hint = "give --size to make a file" if isinstance(error, FileNotFoundError) else ""
        raise ProvisionError(f"it cannot be used: {error.strerror}", on=disk, hint=hint) from error
    if not stat.S_ISBLK(mode) and not stat.S_ISREG(mode):
        raise ProvisionError("it is neither a disk nor a file", on=disk)
    if stat.S_ISBLK(mode) and _is_partition(disk):
        raise ProvisionError("it is a partition", on=disk, hint="give the whole disk")
    return stat.S_ISBLK(mode)


def require_root() -> None:
    """Check that this is root, who alone can give files to the users of another system.

    Raises:
        ProvisionError: When it is not.
    """
    if os.geteuid() != 0:
        raise ProvisionError(
            "it needs root, for it gives the folders of the persistent partition to their users",
            on="puad-provision",
            hint="run it as root or with sudo",
            code=os.EX_NOPERM,
        )


def total_size(disk: Path) -> int:
    """The bytes of the whole disk or file.

    Raises:
        ProvisionError: When it cannot be told.
    """
    try:
        with disk.open("rb") as file:
            return file.seek(0, os.SEEK_END)
    except OSError as error:
        raise ProvisionError(f"it cannot be read: {error.strerror}", on=disk) from error


def sector_size(disk: Path) -> int:
    """The bytes of a logical sector.

    Raises:
        ProvisionError: When it cannot be told.
    """
    if not is_device(disk):
        return SECTOR_BYTES
    path = _entry(disk) / "queue/logical_block_size"
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        what = f"its sector size cannot be told: {error}"
        raise ProvisionError(what, on=disk, code=os.EX_IOERR) from error


@contextmanager
def claimed(disk: Path) -> Iterator[None]:
    """Hold the target while nobody else uses it; a mounted partition of a disk is a use of it.

    Raises:
        ProvisionError: When it is in use.
    """
    exclusive = os.O_EXCL if is_device(disk) else 0
    hint = "unmount its partitions, and stop what else uses it"
    try:
        fd = os.open(disk, os.O_RDWR | os.O_CLOEXEC | exclusive)
    except OSError as error:
        raise _unusable(disk, error, hint) from error
    os.close(fd)  # systemd-repart opens it anew, and takes its own lock
    backed = [loop.parent.parent.name for loop in _LOOPS.glob("loop*/loop/backing_file")]
    for name in backed:
        if _backing_file(name) == str(disk.resolve()):
            raise ProvisionError(f"it is in use by /dev/{name}", on=disk, hint=hint)
    yield


def signatures(disk: Path) -> list[str]:
    """What the target holds already: types of file systems and partition tables, as wipefs says.

    What wipefs does not know, a document or an encrypted disk, is told as `data`.

    Raises:
        ProvisionError: When it cannot be looked at.
    """
    document = json.loads(_tool("wipefs", "--json", str(disk)) or "{}")
    found = document.get("signatures", [])
    types = sorted({str(item.get("type") or "unknown") for item in found})
    return types or (["data"] if _begins_with_data(disk) else [])


def wipe(disk: Path) -> None:
    """Forget what the target holds.

    Raises:
        ProvisionError: When that fails.
    """
    _tool("wipefs", "--all", "--quiet", str(disk))


def partition_table(disk: Path) -> dict[str, dict[str, Any]]:
    """The partitions by label, as sfdisk lists them; a partition without one stands under its node.

    Raises:
        ProvisionError: When there is no GPT, or a label stands there twice.
    """
    document = json.loads(_tool("sfdisk", "--json", str(disk)) or "{}").get("partitiontable", {})
    if document.get("label") != "gpt":
        raise ProvisionError("it has no GPT", on=disk)
    sector = int(document.get("sectorsize", SECTOR_BYTES))
    found: dict[str, dict[str, Any]] = {}
    for item in document.get("partitions", []):
        label = item.get("name") or item["node"]
        if label in found:
            raise ProvisionError(f"two partitions have the label {label}", on=disk)
        found[label] = {"id": item["uuid"].lower(), "size": int(item["size"]) * sector}
    return found


def image_hash(path: Path, offset: int, size: int) -> str:
    """SHA-256 of a part of a file or disk, read from the medium where the kernel allows that."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), offset, size, os.POSIX_FADV_DONTNEED)
        file.seek(offset)
        left = size
        while left and (data := file.read(min(left, _READ_BYTES))):
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()


def _unusable(disk: Path, error: OSError, hint: str) -> ProvisionError:
    if error.errno == errno.EBUSY:
        return ProvisionError("it is in use", on=disk, hint=hint)
    denied = error.errno in {errno.EACCES, errno.EPERM}
    return ProvisionError(
        f"it cannot be written: {error.strerror}",
        on=disk,
        hint="run puad-provision as root" if denied else "",
        code=os.EX_NOPERM if denied else os.EX_CANTCREAT,
    )


def _tool(name: str, *options: str) -> str:
    done = run_tool(name, *options, limit_s=_LIMIT_S)
    if done.code:
        said = done.complaint.strip()[-_SHOWN:] or "it says no more"
        raise ProvisionError(f"{name} failed: {said}", on=options[-1], code=os.EX_IOERR)
    return done.output


def _begins_with_data(disk: Path) -> bool:
    try:
        with disk.open("rb") as file:
            return any(file.read(_READ_BYTES))
    except OSError as error:
        raise ProvisionError(f"it cannot be read: {error.strerror}", on=disk) from error


def _is_partition(disk: Path) -> bool:
    return (_entry(disk) / "partition").exists()


def _entry(disk: Path) -> Path:
    number = disk.stat().st_rdev
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")


def _backing_file(loop: str) -> str:
    try:
        return (_LOOPS / loop / "loop/backing_file").read_text("utf-8", "replace").strip()
    except OSError:  # it was detached meanwhile
        return ""
