# SPDX-License-Identifier: Apache-2.0
"""The chunk index, as node and boot control read it: the two must agree, and on every input."""

from __future__ import annotations

from typing import Any

from bootloader import chunks as boot_chunks
from bootloader.errors import BootloaderError, ErrorName
from puad.core.chunks import ChunkIndex, parse_index
from puad.core.errors import Code, ImageError
from tests.fuzz.signed_json import mutator, split
from tests.fuzz.target import Target


def check_index(data: bytes) -> str:
    numbers, raw = split(data)
    image_size, file_size = (*numbers, 0, 0)[:2]
    try:
        index = parse_index(raw, image_size=image_size, file_size=file_size)
    except ImageError as error:
        assert error.code is Code.IMAGE_INVALID
        assert str(error).isprintable()
        return str(error)
    assert index.image_size == image_size
    _check_cover(index, file_size)
    again = parse_index(index.dump(), image_size=image_size, file_size=file_size)
    assert again == index
    return f"{len(index.chunks)} chunks, framed: {index.framed}"


def _check_cover(index: ChunkIndex, file_size: int) -> None:
    image_end = file_end = 0
    for chunk in index.chunks:
        assert chunk.image_offset == image_end
        assert 0 < chunk.image_length <= 4 << 20
        assert len(chunk.sha256) == 32
        assert type(chunk.image_length) is type(chunk.file_offset) is type(chunk.file_length) is int
        assert (chunk.file_length > 0) is index.framed
        assert file_end <= chunk.file_offset or not index.framed
        image_end += chunk.image_length
        file_end = chunk.file_offset + chunk.file_length
    assert image_end == index.image_size
    assert file_end <= file_size


def check_boot_index(data: bytes) -> str:
    numbers, raw = split(data)
    image_size, file_size = (*numbers, 0, 0)[:2]
    try:
        known = parse_index(raw, image_size=image_size, file_size=file_size)
    except ImageError:
        known = None
    try:
        chunks = boot_chunks.parse_index(raw, image_size=image_size, file_size=file_size)
    except BootloaderError as error:
        assert error.name is ErrorName.TARGET_UNKNOWN
        assert str(error).isprintable()
        assert known is None, f"the node takes what boot control refuses: {error}"
        return str(error)
    assert known is not None, "boot control takes what the node refuses"
    assert [(c.offset, c.length, c.sha256) for c in chunks] == [
        (c.image_offset, c.image_length, c.sha256) for c in known.chunks
    ]
    return f"{len(chunks)} chunks"


def _mend(document: Any, numbers: list[int]) -> None:
    """The image is as long as its chunks, and its frames lie in the file, one after the other."""
    rows = document.get("chunks") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return
    image_size = file_size = 0
    for row in rows:
        match row:
            case [int(length), int(), int(frame), *_] if length > 0 < frame:
                row[1] = file_size
                file_size += frame
                image_size += length
            case [int(length), *_] if length > 0:
                image_size += length
    document["image_size"] = image_size
    numbers[:] = [image_size, file_size]


INDEX = Target("index", check_index, mutator(_mend))
BOOT_INDEX = Target("boot-index", check_boot_index, mutator(_mend), kept="index")
