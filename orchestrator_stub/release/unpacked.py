# SPDX-License-Identifier: Apache-2.0
"""What a packed image unpacks to: a file without a name, beside the release under way.

It is unpacked once, and whole: a disk has to be read at any place before its map is known, and
chunks and comparison are read from it as well. It is gone when it is closed, also when the process
is killed, and empty parts of it take no room.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.errors import InputError, WriteError
from orchestrator_stub.release.image import MAX_BYTES, RawImage, refuse_zstd
from orchestrator_stub.release.packing import unpack
from orchestrator_stub.release.work import Progress
from puad.core.packing import MARK_BYTES, find_packing

_EMPTY: Final = bytes(1 << 20)
_LOOK_BYTES: Final = 16 << 20
_KEPT_FREE: Final = 1 / 50


@contextmanager
def unpacked(
    image: RawImage, folder: Path, memory_bytes: int, progress: Progress
) -> Iterator[RawImage]:
    """What an image unpacks to; the image itself when it is not packed.

    Args:
        image: The image as it was given.
        folder: Where there is room for what it unpacks to.
        memory_bytes: The most that unpacking may take.
        progress: Who is told how far it is.

    Raises:
        InputError: When it cannot be unpacked, or unpacks to nothing, too much, or a packed file.
        WriteError: When there is no room for it.
    """
    if image.packing is None:
        yield image
        return
    with translated(folder):
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
    with file:
        packed = _told(image.chunks(), progress("unpacking", image.size))
        pieces = unpack(packed, image.packing, memory_bytes=memory_bytes, on=image.name)
        size = _write(pieces, file.fileno(), folder, image.name)
        modified_ns = os.fstat(file.fileno()).st_mtime_ns
        raw = RawImage(file.fileno(), image.path, size, modified_ns, packed=image)
        refuse_zstd(raw)
        if find_packing(raw.read(0, MARK_BYTES)) is not None:
            raise InputError(
                "the image is compressed twice", on=image.name, hint="Decompress it once."
            )
        yield raw


def _write(pieces: Iterable[bytes], descriptor: int, folder: Path, on: str) -> int:
    """Write what is not empty; how many bytes it is altogether."""
    size = written = looked_at = 0
    for piece in pieces:
        with translated(folder):
            if piece != _EMPTY[: len(piece)]:
                _write_at(descriptor, size, piece)
                written += len(piece)
        size += len(piece)
        if written - looked_at >= _LOOK_BYTES:
            looked_at = written
            _require_room(descriptor, folder)
        if size > MAX_BYTES:
            raise InputError(f"it unpacks to more than {MAX_BYTES} bytes", on=on)
    if size == 0:
        raise InputError("it unpacks to nothing", on=on)
    with translated(folder):
        os.ftruncate(descriptor, size)
    return size


def _require_room(descriptor: int, folder: Path) -> None:
    """A small file may unpack to more than a disk holds, which others write to as well."""
    with translated(folder):
        disk = os.fstatvfs(descriptor)
    if disk.f_bavail < disk.f_blocks * _KEPT_FREE:
        raise WriteError(
            "the image unpacks to more than there is room for",
            on=str(folder),
            hint="Unpack it on another disk first, and see whether it is what you expect.",
        )


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _told(pieces: Iterable[bytes], tell: Callable[[int], object]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        tell(len(piece))
