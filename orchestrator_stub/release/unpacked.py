# SPDX-License-Identifier: Apache-2.0
"""What a packed image unpacks to.

It is unpacked once, and whole: a disk has to be read at any place before its map is known, and
chunks and comparison are read from it as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator_stub.release.errors import InputError
from orchestrator_stub.release.image import MAX_BYTES, RawImage, refuse_zstd
from orchestrator_stub.release.packing import unpack
from orchestrator_stub.release.size import size_text
from orchestrator_stub.release.sparse_file import SparseFile, sparse_file
from orchestrator_stub.release.work import Progress
from puad.core.packing import MARK_BYTES, find_packing


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
    with sparse_file(folder) as file:
        packed = _told(image.chunks(), progress("unpacking", image.size))
        pieces = unpack(packed, image.packing, memory_bytes=memory_bytes, on=image.name)
        _fill(file, pieces, image.name)
        modified_ns = os.fstat(file.descriptor).st_mtime_ns
        raw = RawImage(file.descriptor, image.path, file.size, modified_ns, packed=image)
        refuse_zstd(raw)
        if find_packing(raw.read(0, MARK_BYTES)) is not None:
            raise InputError(
                "the image is compressed twice", on=image.name, hint="Decompress it once."
            )
        yield raw


def _fill(file: SparseFile, pieces: Iterable[bytes], on: str) -> None:
    for piece in pieces:
        file.append(piece)
        if file.size > MAX_BYTES:
            raise InputError(f"the image unpacks to more than {size_text(MAX_BYTES)}", on=on)
    if file.size == 0:
        raise InputError("the image unpacks to nothing", on=on)


def _told(pieces: Iterable[bytes], tell: Callable[[int], object]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        tell(len(piece))
