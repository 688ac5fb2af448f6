# SPDX-License-Identifier: Apache-2.0
"""Staging: copying a boot file from a descriptor to where the boot loader finds it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader.boot_partition import list_folder
from bootloader.durable import Files, storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import MAX_BOOT_FILE_BYTES, SHA256, BootFile
from bootloader.readback import hash_from_medium
from bootloader.slot import BootFileKind

_COPY_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Incoming:
    """A boot file that a caller offers: its descriptor and what it claims to be."""

    kind: BootFileKind
    fd: int
    size: int
    sha256: str


def check_incoming(kind: str, fd: int, size: int, sha256: str) -> Incoming:
    """The arguments of Stage, checked.

    Raises:
        BootloaderError: `InvalidArgument` or `SizeMismatch`.
    """
    if kind not in set(BootFileKind):
        raise _invalid(f"a boot file is uki, linux or initrd, not {kind!r}")
    if not 0 < size <= MAX_BOOT_FILE_BYTES:
        raise _invalid(f"a boot file has 1 to {MAX_BOOT_FILE_BYTES} bytes, not {size}")
    if not SHA256.fullmatch(sha256):
        raise _invalid("the SHA-256 must be 64 lower-case hex digits")
    with storage_errors(kind):
        status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise _invalid("the descriptor is no regular file")  # a pipe could keep us waiting
    if status.st_size != size:
        what = f"the file has {status.st_size} bytes, not {size}"
        raise BootloaderError(ErrorName.SIZE_MISMATCH, what, on=kind)
    return Incoming(BootFileKind(kind), fd, size, sha256)


def stage(incoming: Incoming, folder: Path, others: Iterable[Path], files: Files) -> None:
    """Copy a boot file into a slot's folder.

    Args:
        incoming: The file.
        folder: The slot's boot folder.
        others: The boot folders of the other slots; one without this kind needs the room too.
        files: The seam for durable writes.

    Raises:
        BootloaderError: `NoSpace`, `SizeMismatch`, `HashMismatch` or `StorageFailed`.
    """
    files.make_folder(folder)
    with storage_errors(folder.parent):
        missing = sum(not (other / incoming.kind).exists() for other in others)
    _check_room(folder, incoming.size * (1 + missing))
    files.remove(folder / incoming.kind)
    with files.fresh(folder / incoming.kind) as target:
        digest = hashlib.sha256()
        done = 0
        while done < incoming.size:
            try:
                data = os.pread(incoming.fd, min(_COPY_BYTES, incoming.size - done), done)
            except OSError as error:
                raise _invalid(f"the descriptor cannot be read: {error.strerror}") from error
            if not data:
                what = f"the file ends after {done} of {incoming.size} bytes"
                raise BootloaderError(ErrorName.SIZE_MISMATCH, what, on=incoming.kind)
            digest.update(data)
            target.write(data)
            done += len(data)
        if digest.hexdigest() != incoming.sha256:
            what = "the file does not have the given SHA-256"
            raise BootloaderError(ErrorName.HASH_MISMATCH, what, on=incoming.kind)


def verify_staged(folder: Path, expected: Mapping[BootFileKind, BootFile]) -> None:
    """Compare a slot's boot files with the signed ones: exactly these, byte for byte.

    Raises:
        BootloaderError: `BootFileMismatch` or `StorageFailed`.
    """
    names = {path.name for path in list_folder(folder)}
    if names != set(expected):
        what = (
            f"the slot has the boot files {', '.join(sorted(names)) or 'none'}, "
            f"the image needs {', '.join(sorted(expected)) or 'none'}"
        )
        raise BootloaderError(ErrorName.BOOT_FILE_MISMATCH, what)
    for kind, file in expected.items():
        path = folder / kind
        with storage_errors(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            same_size = os.fstat(fd).st_size == file.size
            if not same_size or hash_from_medium(fd, file.size, str(path)) != file.sha256:
                what = "the boot file is not the signed one"
                raise BootloaderError(ErrorName.BOOT_FILE_MISMATCH, what, on=kind)
        finally:
            os.close(fd)


def _check_room(folder: Path, needed: int) -> None:
    with storage_errors(folder):
        status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < needed:
        what = f"the boot files of both slots need {needed} bytes, {free} are free"
        raise BootloaderError(ErrorName.NO_SPACE, what, on=str(folder))


def _invalid(what: str) -> BootloaderError:
    return BootloaderError(ErrorName.INVALID_ARGUMENT, what)
